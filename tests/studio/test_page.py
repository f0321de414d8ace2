from __future__ import annotations

import json
import logging
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Browser, chromium
from desk_camera import DeskCamera
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from k210kit.studio.album import Album
from k210kit.studio.lines import open_line
from k210kit.studio.viewer import Viewer
from k210kit.studio.web import Page, _host_is_ours


@contextmanager
def page_of(camera: DeskCamera, album: Album | None = None) -> Iterator[Page]:
    """A page that shows the camera, as `k210kit view --http` does."""
    line = open_line(camera.source, 115_200)
    page = Page(0, album=album)
    viewer = Viewer(line, [page])
    page.start(viewer)
    watching = threading.Thread(target=viewer.run)
    watching.start()
    try:
        yield page
    finally:
        viewer.stop()
        watching.join()
        page.close()
        line.close()


def socket_of(page: Page, origin: str | None = None) -> ClientConnection:
    address = page.address.replace("http:", "ws:") + "stream"
    return connect(address, origin=origin if origin is not None else page.address.rstrip("/"), max_size=None)  # type: ignore[arg-type]


def get(address: str, host: str | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(address, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()


def test_opening_a_page_closes_no_log_of_others(tmp_path: Path) -> None:
    log = logging.FileHandler(tmp_path / "log")
    try:
        stream = log.stream
        Page(0)._socket.close()
        assert not stream.closed
    finally:
        log.close()


def test_pictures_figures_and_boxes_come_over_the_socket() -> None:
    with DeskCamera() as camera, page_of(camera) as page, socket_of(page) as wire:
        heads = []
        while len(heads) < 5:
            message = wire.recv(timeout=5)
            if isinstance(message, bytes):
                length = struct.unpack("<I", message[:4])[0]
                heads.append(json.loads(message[4 : 4 + length]))
                assert message[4 + length :][:2] == b"\xff\xd8"
        head = heads[-1]
        assert (head["width"], head["height"], head["boxes_width"]) == (160, 120, 320)
        assert head["boxes"][0]["label"] == "face"
        for figure in ("size", "receive_ms", "decode_ms", "draw_ms", "total_ms", "fps"):
            assert head[figure] >= 0


def test_controls_reach_the_camera_and_nonsense_is_answered() -> None:
    with DeskCamera() as camera, page_of(camera) as page, socket_of(page) as wire:
        wire.send(json.dumps({"do": "quality", "value": 35}))
        wire.send(json.dumps({"do": "quality", "value": 101}))
        wire.send("{")
        wire.send(json.dumps({"do": "save"}))
        news: list[str] = []
        while len(news) < 3:
            message = wire.recv(timeout=5)
            if isinstance(message, str) and "news" in json.loads(message):
                news.append(json.loads(message)["news"])
        assert news == [
            "quality is 101; it must be 0 to 100.",
            "The page sent something that is not understood. Reload it.",
            "Nothing can be saved: start `k210kit view` with --save FOLDER.",
        ]
        for _ in range(100):
            wire.recv(timeout=5)
            if camera.sender.steering.fixed == 35:
                break
        assert camera.sender.steering.fixed == 35


def test_other_pages_and_other_hosts_are_refused() -> None:
    with DeskCamera() as camera, page_of(camera) as page:
        assert get(page.address)[0] == 200
        assert get(page.address, host="evil.example")[0] == 403
        assert get(page.address + "../viewer.py")[0] == 404
        for origin in ("http://evil.example", "null", page.address.rstrip("/").replace("http", "https")):
            with pytest.raises(InvalidStatus), socket_of(page, origin):
                pass


@pytest.mark.parametrize(
    ("asked", "bound", "ours"),
    [
        ("127.0.0.1:8000", "127.0.0.1", True),
        ("localhost:8000", "127.0.0.1", True),
        ("[::1]:8000", "::1", True),
        ("192.168.1.7:8000", "127.0.0.1", False),
        ("192.168.1.7:8000", "0.0.0.0", True),
        ("camera.example:8000", "0.0.0.0", False),
        ("", "127.0.0.1", False),
    ],
)
def test_which_hosts_are_ours(asked: str, bound: str, ours: bool) -> None:
    assert _host_is_ours(asked, bound) is ours


@pytest.mark.skipif(chromium() is None, reason="no Chromium is installed (Debian: apt install chromium)")
def test_the_page_shows_the_face_its_box_and_the_figures_in_chromium(tmp_path: Path) -> None:
    album = Album(tmp_path / "set", recording=False)
    with DeskCamera(rate=20) as camera, page_of(camera, album) as page, Browser(page.address) as browser:
        browser.wait_for("Number(document.body?.dataset.shown) > 30")
        colours = browser.value("""(() => {
            const data = pen.getImageData(0, 0, canvas.width, canvas.height).data, found = {};
            for (let i = 0; i < data.length; i += 4) {
              const key = data[i] < 40 && data[i+1] > 200 && data[i+2] < 140 ? "box"
                : data[i] > 180 && data[i+1] > 130 && data[i+2] > 100 ? "face" : "other";
              found[key] = (found[key] || 0) + 1;
            }
            return found; })()""")
        assert colours["box"] > 500
        assert colours["face"] > 5000
        figures = browser.value("FIGURES.map(([key]) => document.getElementById(key).textContent)")
        assert all(text != "–" for text in figures)
        assert browser.value("history.fps.length") > 10
        assert browser.value("document.getElementById('line').textContent") == "connected"
        browser.value("""(() => { byId("label").value = "smile"; byId("save").click();
            const slider = byId("quality");
            slider.value = 30;
            for (const kind of ["input", "change"]) slider.dispatchEvent(new Event(kind)); })()""")
        browser.wait_for("byId('album').textContent.startsWith('saved')")
        assert (tmp_path / "set" / "smile" / "smile-000001.jpg").is_file()
        browser.wait_for("byId('faults').textContent.includes('quality 30')")
        browser.value("byId('record').click()")
        browser.wait_for("byId('record').getAttribute('aria-pressed') === 'true'")
        browser.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 10_000
