"""`sensor`, `lcd`, `time`: pictures come from the source, go to the screen, and take the board's time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from k210kit.emulator.cameras import FolderCamera, PatternCamera, StillCamera, open_camera
from k210kit.emulator.screens import FolderScreen, MemoryScreen, TerminalScreen
from k210kit.errors import FileError, FormatError, InputError
from tests.emulator.desk import Desk

START = "import sensor, lcd, image, time\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\n"


def quarters() -> StillCamera:
    """Red, green / blue, white."""
    picture = np.zeros((240, 320, 3), np.uint8)
    picture[:120, :160, 0] = picture[:120, 160:, 1] = picture[120:, :160, 2] = 255
    picture[120:, 160:] = 255
    return StillCamera(picture)


@pytest.mark.parametrize(
    ("control", "corner"),
    [
        ("pass", (255, 0, 0)),
        ("sensor.set_hmirror(1)", (0, 255, 0)),
        ("sensor.set_vflip(True)", (0, 0, 255)),
        ("sensor.set_hmirror(1); sensor.set_vflip(1)", (255, 255, 255)),
        ("sensor.set_windowing((160, 120, 160, 120))", (255, 255, 255)),
        ("sensor.set_windowing((32, 32))", (255, 0, 0)),
    ],
)
def test_mirror_flip_and_window(desk: Desk, control: str, corner: tuple[int, int, int]) -> None:
    script = START + f"sensor.set_framesize(sensor.QVGA)\n{control}\nprint(sensor.snapshot().get_pixel(0, 0))"
    assert desk.prints(script, camera=quarters()).splitlines()[-1] == str(corner)


def test_every_snapshot_has_the_same_memory(desk: Desk) -> None:
    script = START + (
        "sensor.set_framesize(sensor.QQVGA)\na = sensor.snapshot()\n"
        "a.draw_rectangle(0, 0, 160, 120, (0, 0, 0), fill=True)\n"
        "print(a.get_pixel(5, 5))\nb = sensor.snapshot()\nprint(a.get_pixel(5, 5), b.get_pixel(5, 5))"
    )
    assert desk.prints(script, camera=quarters()).splitlines()[1:] == ["(0, 0, 0)", "(255, 0, 0) (255, 0, 0)"]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("sensor.set_pixformat(sensor.JPEG)", "OSError: Pixel format is not supported!"),
        ("sensor.set_framesize(sensor.SVGA)", "OSError: [Errno 5] EIO"),
        ("sensor.set_framesize(sensor.QVGA)\nsensor.set_windowing((4, 4))",
         "ValueError: The selected window is too small"),
        ("sensor.set_framesize(sensor.QVGA)\nsensor.set_windowing((400, 224))",
         "ValueError: The selected window is outside the bounds of the frame"),
        ("sensor.set_framesize(sensor.QVGA)\nsensor.set_windowing((100, 100))",
         "ValueError: value must be multiple of 8"),
        ("sensor.set_framesize(sensor.QVGA)\nsensor.set_windowing((1, 2, 3))",
         "ValueError: The tuple/list must either be (x, y, w, h) or (w, h)"),
        ("sensor.snapshot()", "RuntimeError: Not init!"),
        ("sensor.set_framesize(sensor.QVGA)\nsensor.run(0)\nsensor.snapshot()", "RuntimeError: Sensor timeout!"),
        ("sensor.set_framerate(7)", "ValueError: Invalid framerate"),
        ("sensor.reset(choice=2)", "OSError: Reset Failed"),
        ("lcd.init(type=9)", "ValueError: type error"),
        ("lcd.draw_string(0, 0, 'a')", "ValueError: not init"),
        ("lcd.init()\nlcd.rotation(4)", "ValueError: value:[0,3]"),
        ("lcd.init()\nlcd.fill_rectangle(300, 0, 100, 10, 0)", "ValueError: arg error"),
    ],
)  # fmt: skip
def test_errors_have_the_words_of_the_firmware(desk: Desk, script: str, line: str) -> None:
    assert desk.fails(START + script) == line


def test_two_buffers_hide_the_work(desk: Desk) -> None:
    loop = (
        "sensor.set_framesize(sensor.QVGA)\nfor i in range(20):\n    sensor.snapshot()\n    time.sleep_ms(20)\n"
        "    if i == 9: t = time.ticks_ms()\nprint((time.ticks_ms() - t) / 10)"
    )
    single = float(desk.prints(START + loop).split()[-1])
    double = float(desk.prints(START.replace("reset()", "reset(dual_buff=True)") + loop).split()[-1])
    assert double < 36 < single


def test_skip_frames_takes_300_ms_or_so_many_frames(desk: Desk) -> None:
    script = START + (
        "sensor.set_framesize(sensor.QVGA)\nt = time.ticks_ms()\nsensor.skip_frames()\nprint(time.ticks_ms() - t)\n"
        "t = time.ticks_ms()\nsensor.skip_frames(time=2000)\nprint(time.ticks_ms() - t)\nsensor.skip_frames(3)"
    )
    first, second = map(int, desk.prints(script).split()[-2:])
    assert first == pytest.approx(320, abs=40)
    assert second == pytest.approx(2020, abs=40)


def shown(desk: Desk, script: str) -> np.ndarray:
    screen = MemoryScreen()
    desk.prints("import lcd, image\n" + script, screen=screen)
    assert screen.pixels is not None
    return screen.pixels


def test_the_screen_shows_pictures_centred_or_where_they_shall_be(desk: Desk) -> None:
    small = (
        "lcd.init()\nimg = image.Image(size=(20, 10))\nimg.draw_rectangle(0, 0, 20, 10, (255, 255, 255), fill=True)\n"
    )
    pixels = shown(desk, small + "lcd.display(img)")
    assert pixels.shape == (240, 320)
    assert np.argwhere(pixels == 0xFFFF).min(axis=0).tolist() == [115, 150]
    assert int((pixels == 0xFFFF).sum()) == 200
    pixels = shown(desk, small + "lcd.display(img, oft=(3, 4))")
    assert np.argwhere(pixels == 0xFFFF).min(axis=0).tolist() == [4, 3]
    pixels = shown(desk, small + "lcd.display(img, roi=(0, 0, 5, 5), oft=(0, 0))")
    assert int((pixels == 0xFFFF).sum()) == 25


def test_colours_of_the_module_have_swapped_bytes_and_look_right(desk: Desk) -> None:
    assert shown(desk, "lcd.init()\nlcd.clear(lcd.RED)")[0, 0] == 0xF800
    assert shown(desk, "lcd.init()\nlcd.clear((0, 0, 255))")[0, 0] == 0x001F
    assert shown(desk, "lcd.init()\nlcd.clear(color=(0, 0, 255))")[0, 0] == 0  # the firmware ignores the keyword


def test_rotation_turns_width_and_height(desk: Desk) -> None:
    assert desk.prints("import lcd\nlcd.init()\nlcd.rotation(1)\nprint(lcd.width(), lcd.height(), lcd.rotation())") == (
        "240 320 1\n"
    )
    assert shown(desk, "lcd.init()\nlcd.rotation(3)\nlcd.clear(0)").shape == (320, 240)


def test_text_on_the_screen_is_drawn_on_its_ground(desk: Desk) -> None:
    pixels = shown(desk, "lcd.init()\nlcd.draw_string(8, 16, 'Hi', lcd.WHITE, lcd.BLUE)")
    box = pixels[16:28, 8:24]
    assert set(np.unique(box)) == {0x001F, 0xFFFF}
    assert int((pixels != 0).sum()) == box.size


def test_a_script_without_a_camera_ends_after_as_many_screens(desk: Desk) -> None:
    result = desk.run("import lcd, image\nlcd.init()\nimg = image.Image()\nwhile True: lcd.display(img)", frame_limit=4)
    assert (result.ended, result.frames) == ("frames", 5)  # lcd.init clears the screen: one more
    once = (
        "import sensor, lcd\nsensor.reset(); sensor.set_framesize(sensor.QVGA)\nlcd.init()\nimg = sensor.snapshot()\n"
    )
    assert desk.run(once + "while True: lcd.display(img)", frame_limit=4).ended == "frames"


def test_sources_are_pictures_folders_and_the_pattern(tmp_path: Path) -> None:
    for name, value in (("b.png", 20), ("a.png", 10)):
        Image.fromarray(np.full((8, 8, 3), value, np.uint8)).save(tmp_path / name)
    folder = open_camera(str(tmp_path))
    assert isinstance(folder, FolderCamera)
    assert [int(folder.frame(0)[0, 0, 0]) for _ in range(3)] == [10, 20, 10]  # type: ignore[index]
    assert isinstance(open_camera(str(tmp_path / "a.png")), StillCamera)
    assert isinstance(open_camera("pattern"), PatternCamera)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8 no picture")
    with pytest.raises(FormatError, match="is not a picture"):
        open_camera(str(tmp_path / "bad.jpg"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileError, match="holds no picture"):
        open_camera(str(tmp_path / "empty"))


def test_the_pattern_moves(desk: Desk) -> None:
    pattern = PatternCamera()
    assert not np.array_equal(pattern.frame(0.0), pattern.frame(1.0))


def test_screens_write_files_and_never_over_others(tmp_path: Path) -> None:
    for _ in range(2):
        FolderScreen(tmp_path / "lcd").show(np.zeros((4, 4), np.uint16), 0.0)
    assert sorted(p.name for p in (tmp_path / "lcd").iterdir()) == ["lcd-0001.png", "lcd-0002.png"]


def test_a_terminal_shows_two_pixels_per_cell() -> None:
    drawn = TerminalScreen(columns=4).drawn(np.array([[0xF800] * 4, [0x001F] * 4], np.uint16))
    assert drawn.count("\u2580") == 4
    assert "38;2;255;0;0;48;2;0;0;255m" in drawn


def test_a_thin_line_shows_in_the_terminal() -> None:
    picture = np.zeros((16, 16), np.uint16)
    picture[3] = 0xFFFF
    assert "38;2;63;63;63;48;2;0;0;0m" in TerminalScreen(columns=4).drawn(picture)


def test_fps_counts_as_the_firmware_does(desk: Desk) -> None:
    script = """
    import time
    c = time.clock()
    for i in range(3):
        c.tick()
        time.sleep_ms(100)
        f = c.fps()
    print(round(f), round(c.avg()))
    """
    assert desk.prints(script) == "10 100\n"  # avg adds the time since the tick once more, as one more frame


def test_ticks_wrap_and_dates_count_from_2000(desk: Desk) -> None:
    script = """
    import time
    print(time.ticks_diff(5, time.ticks_add(5, -10)), time.time(), time.localtime(0))
    time.set_time((2021, 8, 17, 10, 0, 0))
    print(time.localtime()[:5], time.mktime((2000, 1, 2, 0, 0, 0, 0, 0)))
    """
    assert desk.prints(script) == "10 0 (2000, 1, 1, 0, 0, 0, 5, 1)\n(2021, 8, 17, 10, 0) 86400\n"


def test_a_stream_is_a_camera(desk: Desk) -> None:
    import io
    import socket

    from k210kit.link import Encoder, Kind
    from k210kit.link.messages import write_picture

    stream = io.BytesIO()
    Image.fromarray(np.full((120, 160, 3), (255, 0, 0), np.uint8)).save(stream, "JPEG", quality=95)
    payload = write_picture(stream.getvalue(), None, head=0, age_ms=0, quality=95)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        camera = open_camera(f"tcp:127.0.0.1:{server.getsockname()[1]}")
        far, _ = server.accept()
        far.sendall(b"noise" + Encoder().encode(Kind.PICTURE, payload))
        script = START + "sensor.set_framesize(sensor.QQVGA)\nprint(sensor.snapshot().get_pixel(80, 60)[0] > 240)"
        assert desk.prints(script, camera=camera).splitlines()[-1] == "True"
        far.close()
        camera.close()


def test_the_live_page_shows_the_screen() -> None:
    browser = pytest.importorskip("tests.studio.browser")
    if browser.chromium() is None:
        pytest.skip("no Chromium here")
    from k210kit.emulator.live_page import LivePage

    page = LivePage(0)
    page.show(np.full((24, 32), 0xF800, np.uint16), 1.25)
    picture = "document.getElementById('lcd')?.naturalWidth"
    try:
        with browser.Browser(page.address) as window:
            said = f"{picture} == 32 && document.getElementById('when').textContent"
            assert window.wait_for(said) == "picture 1, 1.25 s"
            page.show(np.full((48, 64), 0x001F, np.uint16), 2.5)
            assert window.wait_for(f"{picture} == 64")
    finally:
        page.close()


def film(path: Path, levels: list[int], *, rate: float = 10.0) -> Path:
    """A video of plain gray pictures."""
    cv2 = pytest.importorskip("cv2")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, (320, 240))
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((240, 320, 3), (level, level // 2, 255 - level), np.uint8))  # blue, green, red
    writer.release()
    return path


def test_a_video_runs_at_its_own_speed_in_board_time(tmp_path: Path) -> None:
    levels = [0, 40, 80, 120, 160, 200]
    camera = open_camera(str(film(tmp_path / "film.avi", levels)))
    seen = [camera.frame(seconds) for seconds in (0.0, 0.05, 0.1, 0.35, 0.55)]
    assert all(picture is not None for picture in seen)
    blues = [int(picture[120, 160, 2]) for picture in seen if picture is not None]
    assert all(abs(blue - level) <= 6 for blue, level in zip(blues, (0, 0, 40, 120, 200), strict=True))
    assert seen[0] is not None
    assert seen[0][120, 160, 0] > 245  # red first
    assert camera.frame(0.6) is None
    camera.close()


def test_a_video_begins_with_the_first_snapshot(tmp_path: Path) -> None:
    camera = open_camera(str(film(tmp_path / "film.avi", [0, 200])))
    seen = [camera.frame(seconds) for seconds in (7.0, 7.1, 7.2)]
    assert [picture is None for picture in seen] == [False, False, True]
    assert seen[0] is not None
    assert int(seen[0][120, 160, 2]) <= 6
    camera.close()


def test_an_animated_gif_shows_each_picture_for_its_time_and_begins_again(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (32, 24), (0, level, 0)) for level in (0, 128, 255)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=[100, 200, 100], loop=0)
    camera = open_camera(str(tmp_path / "a.gif"))
    seen = [camera.frame(5 + seconds) for seconds in (0.0, 0.05, 0.15, 0.25, 0.35, 0.45)]
    assert [int(picture[5, 5, 1]) for picture in seen if picture is not None] == [0, 0, 128, 128, 255, 0]
    pictures[1].save(tmp_path / "still.gif")
    assert isinstance(open_camera(str(tmp_path / "still.gif")), StillCamera)


def test_a_script_sees_a_video_and_ends_with_it(tmp_path: Path) -> None:
    from k210kit.emulator import RunRequest, run

    clip = film(tmp_path / "film.avi", [0, 60, 120, 180, 240] * 4)
    script = tmp_path / "main.py"
    script.write_text(
        "import sensor\nsensor.reset()\nsensor.set_pixformat(sensor.RGB565)\nsensor.set_framesize(sensor.QVGA)\n"
        "sensor.run(1)\nwhile True:\n    print(sensor.snapshot().get_pixel(5, 5)[2])\n"
    )
    result = run(RunRequest(script=str(script), camera=str(clip), frames=200, fast=True))
    assert result.error is None, result.error
    assert "the camera's source has ended" in result.ended
    levels = {int(line) for line in result.printed.split() if line.isdigit()}
    assert len(levels) >= 4


def test_a_webcam_that_is_not_there_and_a_file_that_is_no_video_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    with pytest.raises(InputError, match="webcam 97 cannot be opened"):
        open_camera("97")
    broken = tmp_path / "film.mp4"
    broken.write_bytes(b"nothing")
    with pytest.raises(InputError, match="cannot be opened"):
        open_camera(str(broken))


def test_a_webcam_gives_each_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cv2 = pytest.importorskip("cv2")

    class Webcam:
        """A pretend capture device: blue, green, red counted up."""

        def __init__(self, number: int) -> None:
            self.count = number

        def isOpened(self) -> bool:
            return True

        def get(self, _: int) -> float:
            return 0.0

        def read(self) -> tuple[bool, object]:
            self.count += 1
            return True, np.full((4, 4, 3), (self.count, 0, 9), np.uint8)

        def release(self) -> None:
            return None

    monkeypatch.setattr(cv2, "VideoCapture", Webcam)
    camera = open_camera("0")
    shown = [camera.frame(0.0), camera.frame(0.0)]
    assert [picture[0, 0].tolist() for picture in shown if picture is not None] == [[9, 0, 1], [9, 0, 2]]
