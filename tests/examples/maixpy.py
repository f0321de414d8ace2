"""Just enough of MaixPy to run an example script on a modelled clock: modules of its own, none of ours."""

from __future__ import annotations

import binascii
import builtins
import contextlib
import gc
import io
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class EndOfRun(BaseException):
    """Raised by the camera after the last picture."""


class Picture:
    """A snapshot, or what was made of it."""

    def __init__(self, image: Pillow.Image, clock: Clock) -> None:
        self.image, self.clock, self.data = image, clock, b""
        self.drawn: list[tuple[int, ...]] = []

    def width(self) -> int:
        return self.image.width

    def height(self) -> int:
        return self.image.height

    def resize(self, width: int, height: int) -> Picture:
        self.clock.now += 2
        return Picture(self.image.resize((width, height), Pillow.Resampling.NEAREST), self.clock)

    def compress(self, quality: int) -> Picture:
        buffer = io.BytesIO()
        self.image.save(buffer, "JPEG", quality=quality, subsampling=2 if quality <= 35 else 0)
        self.data, self.clock.now = buffer.getvalue(), self.clock.now + 4
        return self

    compressed = compress

    def to_bytes(self) -> bytearray:
        return bytearray(self.data)

    def size(self) -> int:
        return len(self.data)

    def draw_rectangle(self, rect: tuple[int, ...], thickness: int = 1) -> None:
        self.drawn.append(rect)


class Clock:
    """Milliseconds that pass only when something takes time."""

    now = 0.0


class Port:
    """A UART whose far end is a list of bytes, and a function that answers them."""

    def __init__(self, clock: Clock) -> None:
        self.clock, self.baud, self.sent, self.incoming = clock, 0, bytearray(), bytearray()
        self.far_end: Callable[[bytes, int], bytes] = lambda data, baud: b""

    def init(self, baud: int, *args: Any, **options: Any) -> None:
        self.baud = baud

    def write(self, data: Any) -> int:
        raw = bytes(data)
        self.clock.now += len(raw) * 10_000 / self.baud
        self.sent += raw
        self.incoming += self.far_end(raw, self.baud)
        return len(raw)

    def any(self) -> int:
        return len(self.incoming)

    def read(self) -> bytes:
        data = bytes(self.incoming)
        self.incoming.clear()
        return data


@cache
def scene(number: int) -> Pillow.Image:
    image = Pillow.new("RGB", (320, 240), (50, 80, 60))
    draw = ImageDraw.Draw(image)
    for x in range(0, 320, 16):
        draw.line((x, 0, 319 - x, 239), fill=(x * 5 % 256, 200 - x % 90, x * 3 % 256), width=3)
    draw.ellipse((number, 60, number + 80, 160), fill=(210, 160, 130))
    return image


def run(script: str, pictures: int, port: Port, *, faces: bool = True, **settings: Any) -> list[str]:
    """Run an example until it has taken `pictures`; returns what it printed. `settings` replace its constants."""
    printed: list[str] = []
    modules = _modules(pictures, port, faces)

    def importer(name: str, *args: Any) -> ModuleType | SimpleNamespace:
        if name not in modules:
            raise ImportError(f"no module named '{name}'")
        return modules[name]

    source = (EXAMPLES / script).read_text(encoding="utf-8")
    for name, value in settings.items():
        start = source.index(f"\n{name} = ") + 1
        source = source[:start] + f"{name} = {value!r}" + source[source.index("\n", start) :]
    scope = {
        "__builtins__": {**vars(builtins), "__import__": importer, "print": lambda *a: printed.append(" ".join(a))}
    }
    with contextlib.suppress(EndOfRun):
        exec(compile(source, script, "exec"), scope)
    return printed


def _modules(pictures: int, port: Port, faces: bool) -> dict[str, Any]:
    clock, taken = port.clock, 0

    def snapshot() -> Picture:
        nonlocal taken
        if taken == pictures:
            raise EndOfRun
        taken += 1
        clock.now = max(clock.now, (clock.now // 50 + 1) * 50 if clock.now % 50 > 45 else clock.now + 2)
        return Picture(scene(taken % 40 * 5), clock)

    def yolo2(task: object, picture: Picture) -> list[Any] | None:
        clock.now += 24
        box = (10, 20, 80, 100)
        names = ("x", "y", "w", "h")
        one = SimpleNamespace(**{n: (lambda v=v: v) for n, v in zip(names, box, strict=True)},
                              rect=lambda: box, classid=lambda: 0, value=lambda: 0.8765)  # fmt: skip
        return [one] if faces else None

    def load(address: int) -> object:
        if not faces:
            raise ValueError("[MAIXPY]kpu: load error:2002, ERR_KMODEL_VERSION")
        return object()

    def uart(number: int, baud: int, *args: Any, **options: Any) -> Port:
        port.baud = baud
        return port

    uart.UART1 = 0  # type: ignore[attr-defined]
    uart.repl_uart = lambda: port  # type: ignore[attr-defined]

    def sleep(milliseconds: int) -> None:
        clock.now += milliseconds

    nothing = lambda *args, **options: None  # noqa: E731
    return {
        "gc": gc, "ubinascii": binascii, "ustruct": struct,
        "time": SimpleNamespace(ticks_ms=lambda: int(clock.now), ticks_diff=lambda a, b: a - b, sleep_ms=sleep),
        "sensor": SimpleNamespace(snapshot=snapshot, RGB565=2, QVGA=10, reset=nothing, set_pixformat=nothing,
                                  set_framesize=nothing, set_windowing=nothing, skip_frames=nothing, run=nothing),
        "KPU": SimpleNamespace(load=load, init_yolo2=nothing, run_yolo2=yolo2),
        "fpioa_manager": SimpleNamespace(fm=SimpleNamespace(
            register=nothing, fpioa=SimpleNamespace(UART1_TX=1, UART1_RX=2, GPIOHS10=3))),
        "machine": SimpleNamespace(UART=uart),
    }  # fmt: skip
