"""One emulated board: the parts that device modules use, and nothing of the computer below them.

A device module (a file of `modules/`) is a class that joins its table with `@device_module("name")`. It is made once
per board with the board as its only argument; its public attributes are what a script sees after `import name`.

What the modules hand to each other:

    sensor --Picture--> script --Picture--> lcd, KPU, machine.UART

`Picture` is the script's `image.Image`; `modules/image/` offers it through `PictureMaker`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from k210kit.emulator.card import Card, FlashChip
    from k210kit.emulator.clock import Clock
    from k210kit.emulator.gc_heap import GcHeap
    from k210kit.emulator.pins import Pins
    from k210kit.emulator.ports import Ports
    from k210kit.emulator.system_memory import SystemMemory
    from k210kit.firmware import Firmware

__all__ = ["Block", "Board", "Camera", "Counters", "Picture", "PictureMaker", "Screen", "Stop"]


IDLE_SECONDS_PER_FRAME = 0.2
LEAST_IDLE_SECONDS = 10.0


class Stop(BaseException):
    """Ends a script from outside: the asked frames or seconds are over. Not an `Exception`: scripts don't catch it."""


class Block(Protocol):
    """A piece of a heap. When the last reference goes, a GC block becomes garbage; `free()` gives it back at once."""

    size: int

    def free(self) -> None: ...


class Picture(Protocol):
    """What a script knows as `image.Image`.

    `pixels` is big-endian uint16 [height, width] for RGB565 (values rrrrrggggggbbbbb), uint8 [height, width] for
    grayscale, and uint8 [size] for JPEG. `pix_ai` is what the KPU reads, uint8 [channel, height, width], or None.
    `pixel_format` is one of the sensor's numbers: 2 RGB565, 4 GRAYSCALE, 5 JPEG.
    """

    @property
    def pixels(self) -> NDArray[Any]: ...

    @property
    def pix_ai(self) -> NDArray[np.uint8] | None: ...

    @property
    def pixel_format(self) -> int: ...

    def to_bytes(self) -> bytearray | memoryview: ...


class PictureMaker(Protocol):
    """What `board.module("image")` offers to the other modules."""

    def from_camera(self, pixels: NDArray[Any], pix_ai: NDArray[np.uint8] | None, pixel_format: int) -> Picture:
        """Wrap the sensor's own buffers: no copy, nothing taken from the GC heap."""
        ...

    def from_bytes_plane(self, plane: NDArray[np.uint8]) -> Picture:
        """Make a grayscale picture that shares `plane` [height, width] (`KPU.fmap`)."""
        ...


class Camera(Protocol):
    """Where frames come from."""

    def frame(self, seconds: float) -> NDArray[np.uint8] | None:
        """The picture [height, width, 3] RGB seen at that moment of board time; None when the source has ended."""
        ...

    def close(self) -> None: ...


class Screen(Protocol):
    """Where the LCD's glass is."""

    def show(self, pixels: NDArray[np.uint16], seconds: float) -> None:
        """Show RGB565 [height, width]; called for each change of the glass."""
        ...

    def close(self) -> None: ...


@dataclass
class Counters:
    """What a run reports."""

    frames: int = 0
    screens: int = 0
    screens_since_frame: int = 0
    last_picture: float = 0.0  # board time of the newest frame or screen
    frame_times: list[float] = field(default_factory=list)
    allocated_bytes_per_frame: list[int] = field(default_factory=list)
    not_emulated: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Board:
    """The parts of one board. Made by `boards.power_on()`; several may live in one process."""

    name: str
    firmware: Firmware
    clock: Clock
    gc: GcHeap  # gc.allocate(n) -> Block; MemoryError with the board's words
    heap: SystemMemory  # heap.allocate(n) -> Block | None; heap.temporary() for drawing and JPEG
    files: Card  # files.open(path, mode), stat, listdir: /flash and /sd
    flash: FlashChip  # flash.read(address, n): the 16 MiB chip, raw
    camera: Camera
    lcd: Screen
    ports: Ports
    pins: Pins
    print: Callable[[str], None]  # text as written, no newline added
    counters: Counters = field(default_factory=Counters)
    frame_limit: int | None = None
    random: random.Random = field(default_factory=lambda: random.Random(0x4B323130))
    trusted: Callable[[], AbstractContextManager[Any]] = nullcontext  # while the kit's own code needs this computer
    modules: dict[str, Any] = field(default_factory=dict)  # Any: one instance per device module, each its own class

    def module(self, name: str) -> Any:  # Any: see `modules`
        """This board's instance of a device module, made at its first use."""
        from k210kit.emulator.modules import instance

        return instance(self, name)

    def temporary(self) -> AbstractContextManager[None]:
        """The scratch buffer of drawing filters and JPEG, as long as the `with` block lasts."""
        return self.heap.temporary()

    def has(self, feature: str) -> bool:
        """Whether this firmware was built with a feature (see `k210kit.firmware`)."""
        return feature in self.firmware.features

    def check_screens(self) -> None:
        """Let a script end that shows pictures and takes none: after N, or N + 100 behind a frame."""
        counters = self.counters
        if self.frame_limit is None:
            return
        spare = 100 if counters.frames else 0
        if counters.screens_since_frame > self.frame_limit + spare:
            self.clock.stop("frames")
            self.clock.check()

    def check_idle(self) -> None:
        """Let a script end that may take N frames and takes none for a while: 0.2 s for each, at least 10 s."""
        if self.frame_limit is None:
            return
        waited = self.clock.now - self.counters.last_picture
        if waited > max(LEAST_IDLE_SECONDS, self.frame_limit * IDLE_SECONDS_PER_FRAME):
            self.clock.stop("frames")
            self.clock.check()

    def not_emulated(self, what: str) -> None:
        """Count something that the firmware has and the emulator has not; the caller raises."""
        self.counters.not_emulated[what] = self.counters.not_emulated.get(what, 0) + 1

    def warn(self, text: str) -> None:
        """Note something that the board would do silently wrong; shown once at the end of a run."""
        if text not in self.counters.warnings:
            self.counters.warnings.append(text)
