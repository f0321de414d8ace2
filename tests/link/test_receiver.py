from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from k210kit.errors import FormatError
from k210kit.link import CameraSays, CommandKind, Detection, Detections, Encoder, Receiver, Sender, Shown, legacy_frame
from k210kit.link.frames import Kind
from k210kit.link.messages import read_detections, split_jpeg, write_detections
from k210kit.link.speed import CAMERA_PATIENCE, RECEIVER_PATIENCE
from k210kit.link.steering import LADDER, Steering


def jpeg(number: int, quality: int = 10) -> bytes:
    image = Image.new("RGB", (160, 120), (40, 90, 30))
    ImageDraw.Draw(image).ellipse((number, 20, number + 60, 80), (200, 160, 120))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def shown(receiver: Receiver, data: bytes, now: float = 0.0) -> list[Shown]:
    return [event for event in receiver.feed(data, now) if isinstance(event, Shown)]


BOXES = Detections(320, 240, (Detection("face", 0.75, 10, 20, 30, 40), Detection("顔", 0.5, 0, 0, 320, 240)))


def test_a_picture_and_its_boxes_arrive_together() -> None:
    camera, receiver = Sender(), Receiver()
    camera.picture(jpeg(3), BOXES, 0.0, age_ms=31)
    (one,) = shown(receiver, camera.take())
    assert (one.jpeg, one.detections, one.age_ms, one.quality) == (jpeg(3), BOXES, 31, 10)


def test_the_tables_of_a_jpeg_are_sent_once() -> None:
    camera, receiver = Sender(), Receiver()
    assert camera.picture(jpeg(1), None, 0.0) < len(jpeg(1)) < len(first := camera.take())
    head, scan = split_jpeg(jpeg(2))
    assert camera.picture(jpeg(2), None, 0.1) == len(scan) + 22 == len(second := camera.take())
    assert [one.jpeg for one in shown(receiver, first + second)] == [jpeg(1), jpeg(2)]
    assert len(head) > 600


def test_a_late_receiver_asks_for_the_tables() -> None:
    camera, receiver = Sender(), Receiver()
    camera.picture(jpeg(1), None, 0.0)
    camera.take()
    camera.picture(jpeg(2), None, 0.1)
    assert shown(receiver, camera.take(), 0.1) == []
    camera.feed(receiver.take(), 0.1)
    camera.picture(jpeg(3), None, 0.2)
    assert [one.jpeg for one in shown(receiver, camera.take(), 0.2)] == [jpeg(3)]


def test_boxes_of_a_lost_picture_are_not_drawn_on_the_next() -> None:
    camera, receiver = Sender(), Receiver()
    camera.picture(jpeg(1), None, 0.0)
    receiver.feed(camera.take(), 0.0)
    camera.picture(jpeg(2), BOXES, 0.1)
    broken = bytearray(camera.take())
    broken[-10] ^= 1
    camera.picture(jpeg(3), None, 0.2)
    (one,) = shown(receiver, bytes(broken) + camera.take(), 0.2)
    assert (one.jpeg, one.detections) == (jpeg(3), None)


def test_pictures_of_the_older_program_are_shown_too() -> None:
    receiver = Receiver()
    stream = b"boot text\r\n" + b"".join(legacy_frame(jpeg(i)) for i in range(4))
    got = [one for at in range(0, len(stream), 97) for one in shown(receiver, stream[at : at + 97])]
    assert [one.jpeg for one in got] == [jpeg(i) for i in range(4)]
    assert all(one.legacy for one in got)


@pytest.mark.parametrize("wrong", [0, 700, 1400, 0xFFFF])
def test_a_wrong_length_byte_costs_an_older_picture_and_no_more(wrong: int) -> None:
    receiver = Receiver()
    frames = [legacy_frame(jpeg(i)) for i in range(4)]
    frames[1] = b"\0\0" + wrong.to_bytes(2, "big") + frames[1][4:]
    assert [one.jpeg for one in shown(receiver, b"".join(frames))] == [jpeg(0), jpeg(2), jpeg(3)]


def test_zeros_in_an_older_stream_are_stepped_over() -> None:
    receiver = Receiver()
    frames = [bytes(7) + legacy_frame(jpeg(i)) for i in range(3)]
    assert len(shown(receiver, b"".join(frames))) == 3


@given(st.binary(max_size=60))
def test_detections_that_make_no_sense_are_refused(payload: bytes) -> None:
    try:
        found = read_detections(payload)
    except FormatError:
        return
    assert len(found.boxes) == payload[4]


def test_a_frame_that_makes_no_sense_is_counted_and_harms_nobody() -> None:
    receiver, encoder = Receiver(), Encoder()
    assert receiver.feed(encoder.encode(Kind.DETECTIONS, write_detections(BOXES)[:-1]), 0.0) == []
    assert receiver.feed(encoder.encode(Kind.ANSWER, b""), 0.0) == []
    assert receiver.undecodable == 2


class Line:
    """Both ends on a wire that carries bytes only while their speeds agree."""

    def __init__(self) -> None:
        self.camera, self.receiver, self.now, self.cut = Sender(), Receiver(), 0.0, False
        self.news: list[str] = []

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.camera.tick(self.now)
            out, same = self.camera.take(), self.camera.speed.baud == self.receiver.speed.baud and not self.cut
            events = self.receiver.feed(out, self.now) if same else []
            self.camera.written(self.now)
            events += self.receiver.tick(self.now)
            self.news += [e.text for e in events if isinstance(e, CameraSays) and e.text]
            back, same = self.receiver.take(), self.camera.speed.baud == self.receiver.speed.baud and not self.cut
            self.camera.feed(back if same else b"", self.now)

    @property
    def speeds(self) -> tuple[int, int]:
        return self.camera.speed.baud, self.receiver.speed.baud


def test_both_ends_agree_on_a_faster_speed_and_keep_it() -> None:
    line = Line()
    line.receiver.command(CommandKind.BAUD, 1_500_000, line.now)
    line.run(20)
    assert line.speeds == (1_500_000, 1_500_000)
    assert line.camera.steering.bytes_per_second == 150_000


def test_a_cut_line_brings_both_back_to_the_first_speed() -> None:
    line = Line()
    line.receiver.command(CommandKind.BAUD, 1_500_000, line.now)
    line.run(3)
    line.cut = True
    line.run(max(CAMERA_PATIENCE, RECEIVER_PATIENCE) + 0.5)
    assert line.speeds == (115_200, 115_200)
    assert line.news == ["No frame at 1,500,000 baud for 3.5 s; back to 115,200."]
    line.cut = False
    line.run(3)
    assert line.receiver.counts.frames > 0


def test_a_restarted_receiver_meets_the_camera_again() -> None:
    line = Line()
    line.receiver.command(CommandKind.BAUD, 1_500_000, line.now)
    line.run(3)
    line.receiver = Receiver()
    line.run(5)
    assert line.speeds == (115_200, 115_200)
    assert line.receiver.counts.frames > 0


def test_a_speed_the_camera_cannot_take_is_said() -> None:
    line = Line()
    line.receiver.command(CommandKind.BAUD, 5_000_000, line.now)
    line.run(1)
    assert line.news == ["The camera does not take 5,000,000 baud; it stays at 115,200."]


def test_a_bad_line_is_stepped_down() -> None:
    line = Line()
    line.receiver.command(CommandKind.BAUD, 1_500_000, line.now)
    line.run(2)
    for _ in range(40):
        line.receiver.speed.frame(line.now, damaged=1)
    line.run(2)
    assert line.speeds == (921_600, 921_600)
    assert line.news == ["19 of 40 frames are damaged at 1,500,000 baud; going down to 921,600."]


def test_settings_are_obeyed_and_answered() -> None:
    line = Line()
    for what, value in ((CommandKind.QUALITY, 30), (CommandKind.PAUSE, 1), (CommandKind.SIZE, 80 << 16 | 60)):
        line.receiver.command(what, value, line.now)
    line.run(0.5)
    assert (line.camera.steering.quality, line.camera.paused, line.camera.size) == (30, True, (80, 60))


def test_quality_settles_where_the_pictures_fit() -> None:
    steering = Steering(rate=8.0, bytes_per_second=11_520)
    for _ in range(200):
        steering.sent(400 + 60 * steering.quality, busy_seconds=0.040)
    settled = steering.quality
    assert 400 + 60 * settled <= steering.budget(0.040) < 400 + 60 * LADDER[LADDER.index(settled) + 2]
    qualities = set()
    for _ in range(50):
        steering.sent(400 + 60 * steering.quality, busy_seconds=0.040)
        qualities.add(steering.quality)
    assert len(qualities) == 1
