"""The whole link on this computer: the camera script on the desk board, the StickC on the desk, and the page.

A drawn face moves through a drawn room. The board's KPU, simulated bit for bit, finds it; the script sends pictures and
boxes at 115,200 baud; the Arduino sketch, compiled for this computer, draws them; the page may watch.
"""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from k210kit.emulator import RunRequest, RunResult, run
from k210kit.errors import DeviceError, KitError
from k210kit.files import write_whole
from k210kit.link import CapabilityRecord, Detections
from k210kit.studio.drawn_faces import ANCHORS, LABELS, draw_room, write_finder
from k210kit.studio.lines import TcpLine
from k210kit.studio.stick import DeskStick, build_stick
from k210kit.studio.viewer import Audience, Seen, Viewer, ViewResult
from k210kit.studio.web import Page

__all__ = ["Detector", "StreamDemo", "drawn_detector", "stream_demo", "stream_script"]

_HERE = Path(__file__).resolve()
_ROUND = 96  # pictures of one round through the room


@dataclass(frozen=True, kw_only=True)
class Detector:
    """A detector as kmodel, what its script needs, and pictures for the camera to look at."""

    kmodel: Path
    labels: tuple[str, ...]
    anchors: tuple[float, ...]  # width and height by turns, in cells
    pictures: Path
    script: str = ""  # the board's program; examples/unitv_stream.py for these labels and anchors if empty


@dataclass(frozen=True, kw_only=True)
class StreamDemo:
    """What was shown. `displays` are pictures of the StickC's display, from early to late."""

    view: ViewResult
    displays: tuple[Path, ...]
    drawn: int  # times the display was drawn
    with_boxes: int  # pictures that came with at least one box
    box_left: tuple[int, int]  # smallest and largest left edge of a first box: it moves
    fps_board_estimate: float | None
    page: str  # address, or ""


@dataclass
class _Watch:
    """Counts boxes, and keeps pictures of the display at some moments."""

    display: Path
    folder: Path
    moments: tuple[int, ...]
    kept: list[Path] = field(default_factory=list)
    lefts: list[int] = field(default_factory=list)

    def picture(self, seen: Seen) -> None:
        found: Detections | None = seen.detections
        if found is not None and found.boxes:
            self.lefts.append(found.boxes[0].x)
        if seen.figures.number in self.moments and self.display.exists():
            kept = self.folder / f"display-{len(self.kept) + 1}.png"
            shutil.copyfile(self.display, kept)
            self.kept.append(kept)

    def news(self, text: str) -> None:
        return None

    def camera(self, record: CapabilityRecord, name: str) -> None:
        return None


def stream_script(labels: tuple[str, ...], anchors: tuple[float, ...]) -> str:
    """examples/unitv_stream.py for another detector: its labels and anchors replaced."""
    for folder in (_HERE.parents[3] / "examples", _HERE.parents[1] / "examples"):
        if (folder / "unitv_stream.py").is_file():
            text = (folder / "unitv_stream.py").read_text(encoding="utf-8")
            break
    else:
        raise KitError("examples/unitv_stream.py is missing from this installation.")
    for name, value in (("LABELS", labels), ("ANCHORS", anchors)):
        text, times = re.subn(rf"^{name} = .*$", f"{name} = {value!r}", text, flags=re.MULTILINE)
        assert times == 1
    return text


def drawn_detector(folder: Path) -> Detector:
    """Draw the room, write the network and compile it, all into `folder`. Needs the `onnx` extra."""
    from k210kit.compiler import compile

    pictures = folder / "room"
    pictures.mkdir(parents=True, exist_ok=True)
    for number in range(_ROUND):
        draw_room(number, _ROUND).save(pictures / f"{number:03d}.png")
    write_finder(folder / "finder.onnx")
    compiled = compile(folder / "finder.onnx", sorted(pictures.iterdir())[::8])
    write_whole(folder / "finder.kmodel", compiled.to_bytes(), force=True)
    return Detector(kmodel=folder / "finder.kmodel", labels=LABELS, anchors=ANCHORS, pictures=pictures)


def stream_demo(
    folder: Path,
    detector: Detector | None = None,
    *,
    frames: int = 80,
    http: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> StreamDemo:
    """Run it for `frames` pictures; everything is left in `folder`. `tell` hears what goes on, the page's address too.

    Raises `DeviceError` if the desk StickC cannot be compiled here, and what running the script raises.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        program = build_stick(folder)
        tell("the M5StickC-Plus sketch is compiled")
        detector = detector or drawn_detector(folder)
        script = detector.script or stream_script(detector.labels, detector.anchors)
        write_whole(folder / "main.py", script, force=True)
        stick = DeskStick.start(program, folder / "display.png", every_ms=20)
        stack.callback(stick.close)
        port = _free_port()
        board = _Board(RunRequest(
            script=str(folder / "main.py"), firmware="unitv", camera=str(detector.pictures),
            flash=(f"0x300000={detector.kmodel}",), uart=(f"UART1=tcp:{port}",), frames=frames + 10,
        ))  # fmt: skip
        stack.callback(board.wait)
        line = _connected(port, board)
        stack.callback(line.close)
        tell("the desk board runs the camera's script")
        watch = _Watch(folder / "display.png", folder, tuple(frames * part // 4 for part in (1, 2, 3, 4)))

        def to_stick(data: bytes) -> bytes:
            stick.write(data)
            return stick.read()

        audiences: list[Audience] = [watch]
        viewer = Viewer(line, audiences, on_bytes=to_stick)
        page = Page(http) if http is not None else None
        if page is not None:
            page.start(viewer)
            stack.callback(page.close)
            audiences.append(page)
            tell(f"the page: {page.address}")
        view = viewer.run(frames=frames)
        time.sleep(0.3)  # the last picture reaches the display
        drawn = stick.stop()
    result = board.result
    return StreamDemo(
        view=view, displays=(*watch.kept, folder / "display.png"), drawn=drawn, with_boxes=len(watch.lefts),
        box_left=(min(watch.lefts, default=0), max(watch.lefts, default=0)),
        fps_board_estimate=result.fps_board_estimate if result else None, page=page.address if page else "",
    )  # fmt: skip


class _Board:
    """The emulated board, run from a thread."""

    def __init__(self, request: RunRequest) -> None:
        self.result: RunResult | None = None
        self.error: KitError | None = None
        self._request = request
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> None:
        """Wait for the end; raises what went wrong."""
        self._thread.join()
        if self.error is not None:
            raise self.error
        if self.result is not None and self.result.error:
            raise KitError(f"The camera's script failed:\n{self.result.error}")

    def _run(self) -> None:
        try:
            self.result = run(self._request)
        except KitError as error:
            self.error = error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _connected(port: int, board: _Board) -> TcpLine:
    """The board's serial line, once the board has been switched on."""
    for _ in range(200):
        try:
            return TcpLine(f"tcp:127.0.0.1:{port}")
        except DeviceError:
            if not board.running:
                board.wait()
            time.sleep(0.1)
    raise DeviceError("The desk board has not opened its serial line in 20 s.")
