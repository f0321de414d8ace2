from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from desk_camera import DeskCamera, face
from typer.testing import CliRunner

from k210kit.cli.view import app
from k210kit.emulator.cameras import open_camera
from k210kit.errors import DeviceError, InputError
from k210kit.link import CommandKind, Receiver, Sender, Shown, legacy_frame
from k210kit.studio.album import Album, checked_label
from k210kit.studio.as_camera import CameraPort
from k210kit.studio.lines import open_line
from k210kit.studio.terminal import figures_line, picture_text
from k210kit.studio.viewer import Seen, Viewer

run = CliRunner().invoke


def recorded(folder: Path, pictures: int, *, legacy: bool = False) -> str:
    camera, stream = Sender(), b""
    for number in range(pictures):
        jpeg, found = face(number)
        if legacy:
            stream += legacy_frame(jpeg)
        else:
            camera.picture(jpeg, found, 0.0)
            stream += camera.take()
    (folder / "stream.bin").write_bytes(stream)
    return f"file:{folder / 'stream.bin'}"


@pytest.mark.parametrize("tcp", [False, True])
def test_a_stream_is_watched_over_a_pty_and_over_tcp(tcp: bool) -> None:
    with DeskCamera(tcp=tcp) as camera:
        result = run(app, [camera.source, "--frames", "20", "--json"], catch_exceptions=False)
    seen = json.loads(result.stdout)
    assert (seen["frames"], seen["lost"], seen["damaged"], seen["undecodable"]) == (20, 0, 0, 0)
    assert 10 < seen["fps"] < 60
    assert result.exit_code == 0


def test_the_older_program_is_watched_too(tmp_path: Path) -> None:
    result = run(app, [recorded(tmp_path, 12, legacy=True), "--json"], catch_exceptions=False)
    seen = json.loads(result.stdout)
    assert (seen["frames"], seen["legacy"]) == (12, 12)


def test_pictures_of_a_class_go_into_its_folder_and_numbers_go_on(tmp_path: Path) -> None:
    source = recorded(tmp_path, 3)
    for _ in range(2):
        done = run(app, [source, "--save", str(tmp_path / "set"), "--label", "cat", "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["saved"] == 3
    files = sorted((tmp_path / "set" / "cat").iterdir())
    assert [path.name for path in files] == [f"cat-{number:06d}.jpg" for number in range(1, 7)]
    assert files[0].read_bytes() == files[3].read_bytes() == face(0)[0]


def test_pictures_without_a_class_keep_their_boxes(tmp_path: Path) -> None:
    run(app, [recorded(tmp_path, 2), "--save", str(tmp_path / "set")], catch_exceptions=False)
    lines = [json.loads(line) for line in (tmp_path / "set" / "detections.jsonl").read_text().splitlines()]
    assert [line["file"] for line in lines] == ["frame-000001.jpg", "frame-000002.jpg"]
    assert lines[1]["boxes"] == [{"label": "face", "score": 0.9, "x": 26, "y": 60, "width": 80, "height": 100}]


def test_mistakes_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--label cat needs a folder to store into: add --save FOLDER\."):
        run(app, ["file:x", "--label", "cat"], catch_exceptions=False)
    with pytest.raises(InputError, match=r"tcp:here names no TCP port\. Write tcp:HOST:PORT"):
        open_line("tcp:here", 115_200)
    with pytest.raises(DeviceError, match="There is no port /dev/there-is-none"):
        open_line("/dev/there-is-none", 115_200)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceError, match=f"tcp:127.0.0.1:{port} does not answer"):
        open_line(f"tcp:{port}", 115_200)


@pytest.mark.parametrize("label", ["../up", "a/b", ".hidden", "", "x" * 41, "dot.", "a\\b", "C:"])
def test_a_label_that_is_no_folder_name_is_refused(label: str) -> None:
    with pytest.raises(InputError, match="cannot be a class name"):
        checked_label(label)


def test_both_ends_agree_on_a_faster_speed_over_a_pty() -> None:
    with DeskCamera() as camera:
        line = open_line(camera.source, 115_200)
        viewer = Viewer(line)
        viewer.command(CommandKind.BAUD, 921_600)
        viewer.run(seconds=1.5)
        assert camera.sender.speed.baud == line.baud == 921_600
        line.close()


class Last:
    """Keeps the newest picture."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.heard: list[str] = []

    def picture(self, seen: Seen) -> None:
        self.seen.append(seen)

    def news(self, text: str) -> None:
        self.heard.append(text)

    def camera(self, record: object, name: str) -> None:
        self.heard.append(name)


def test_a_damaged_jpeg_is_counted_and_stepped_over(tmp_path: Path) -> None:
    camera = Sender()
    jpeg, found = face(0)
    camera.picture(jpeg[:700] + jpeg[-2:], found, 0.0)
    camera.picture(jpeg, found, 0.1)
    (tmp_path / "s").write_bytes(camera.take())
    last = Last()
    result = Viewer(open_line(f"file:{tmp_path / 's'}", 0), [last]).run()
    assert (result.frames + result.undecodable, len(last.seen)) == (2, result.frames)
    assert last.seen[-1].jpeg == jpeg


def test_the_terminal_shows_half_blocks_boxes_and_the_figures(tmp_path: Path) -> None:
    last = Last()
    Viewer(open_line(recorded(tmp_path, 2), 0), [last]).run()
    text = picture_text(last.seen[-1], 40)
    lines = text.plain.splitlines()
    assert len(lines) == 16
    assert set(lines[0]) == {"▀"}
    assert any("#00ff00" in str(span.style) for span in text.spans)
    assert lines[-1] == figures_line(last.seen[-1].figures)
    assert "quality 10, lost 0, damaged 0, resyncs 0" in lines[-1]


def test_the_stream_is_offered_as_a_camera(tmp_path: Path) -> None:
    port = CameraPort(0)
    receiver, got = Receiver(), []

    def listen() -> None:
        with socket.create_connection(("127.0.0.1", port.port)) as client:
            connected.set()
            while data := client.recv(65536):
                got.extend(e for e in receiver.feed(data, 0.0) if isinstance(e, Shown))

    connected = threading.Event()
    listener = threading.Thread(target=listen)
    listener.start()
    connected.wait(2)
    time.sleep(0.05)
    last = Last()
    Viewer(open_line(recorded(tmp_path, 5), 0), [port, last]).run()
    port.close()
    listener.join(3)
    assert [one.jpeg for one in got] == [seen.jpeg for seen in last.seen]
    assert got[0].detections == last.seen[0].detections


def test_an_album_does_not_take_a_file_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(InputError, match="is a file; a folder for the pictures was expected"):
        Album(tmp_path / "x")


@contextmanager
def as_camera(source: str) -> Iterator[int]:
    """What `k210kit view SOURCE --as-camera` does; the port it offers."""
    line, port = open_line(source, 115_200), CameraPort(0)
    viewer = Viewer(line, [port])
    watching = threading.Thread(target=viewer.run)
    watching.start()
    try:
        yield port.port
    finally:
        viewer.stop()
        watching.join()
        port.close()
        line.close()


def test_a_script_on_the_desk_sees_the_stream(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "import sensor\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\nsensor.set_framesize(sensor.QVGA)\n"
        "sensor.run(1)\nfor i in range(5):\n    print(sensor.snapshot().get_pixel(5, 5))\n"
    )
    command = [sys.executable, "-m", "k210kit", "run", str(script), "--json", "--camera"]
    with DeskCamera() as camera, as_camera(camera.source) as port:
        done = subprocess.run([*command, f"tcp:{port}"], capture_output=True, check=True, timeout=60)
    printed = json.loads(done.stdout)["printed"].splitlines()[-5:]
    for text in printed:
        red, green, blue = (int(part) for part in text.strip("()").split(","))
        assert abs(red - 60) < 12
        assert abs(green - 110) < 12
        assert abs(blue - 70) < 12


def test_a_camera_that_is_not_there_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DeviceError, match=f"Start `k210kit view PORT --as-camera {port}` first"):
        open_camera(f"tcp:{port}")
