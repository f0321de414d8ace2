"""Put a board together and bring it to where a script finds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from k210kit.emulator.board import Board, Camera, Screen
from k210kit.emulator.cameras import PatternCamera
from k210kit.emulator.card import Card, FlashChip
from k210kit.emulator.clock import Clock
from k210kit.emulator.costs import transfer_seconds
from k210kit.emulator.gc_heap import GcHeap
from k210kit.emulator.pins import PinChange, Pins
from k210kit.emulator.ports import Ports
from k210kit.emulator.screens import MemoryScreen
from k210kit.emulator.system_memory import SCRATCH_BYTES_FULL, SCRATCH_BYTES_MINIMUM, SystemMemory
from k210kit.errors import unknown
from k210kit.firmware import Firmware, find
from k210kit.hardware import FILE_SYSTEM_BYTES
from k210kit.inspection.spiffs import BLOCK, PAGE

__all__ = ["BOARDS", "BoardKind", "Setup", "board_kind", "power_on"]

# Between the GC heap and the first allocation of a script: the IDE's buffer, file systems, drivers. From a heap figure
# that the MaixPy documentation prints (4640.0 KiB free on v0.5.1-136 with the LCD on).
DRIVERS_BYTES = 27_552
# SPIFFS: a block's first page is its table, a page has 5 bytes of its own, two blocks stay free for moving pages.
FILE_SYSTEM_ROOM = (FILE_SYSTEM_BYTES // BLOCK - 2) * (BLOCK // PAGE - 1) * (PAGE - 5)


@dataclass(frozen=True, kw_only=True)
class BoardKind:
    """A product: its name and the firmware that is emulated if none is asked for."""

    name: str
    title: str
    firmware: str
    buttons: tuple[int, ...] = (16,)  # pins that resistors on the board hold up


BOARDS: tuple[BoardKind, ...] = (
    BoardKind(name="unitv", title="M5Stack UnitV", firmware="full", buttons=(18, 19)),
    BoardKind(name="m5stickv", title="M5Stack M5StickV", firmware="m5stickv", buttons=(36, 37)),
    BoardKind(name="maixbit", title="Sipeed Maix Bit", firmware="full"),
    BoardKind(name="maixdock", title="Sipeed Maix Dock", firmware="full"),
    BoardKind(name="maixgo", title="Sipeed Maix Go", firmware="full"),
    BoardKind(name="maixduino", title="Sipeed Maixduino", firmware="full"),
    BoardKind(name="maixcube", title="Sipeed Maix Cube", firmware="full", buttons=(9, 10, 11)),
)


def board_kind(name: str) -> BoardKind:
    """The board of that name; an `InputError` lists them all."""
    for kind in BOARDS:
        if kind.name == name.lower():
            return kind
    raise unknown("board", name, (kind.name for kind in BOARDS))


@dataclass(kw_only=True)
class Setup:
    """What is around the board."""

    kind: BoardKind = BOARDS[0]
    firmware: Firmware | None = None
    camera: Camera = field(default_factory=PatternCamera)
    screen: Screen = field(default_factory=MemoryScreen)
    flash_folder: Path | None = None
    sd_folder: Path | None = None
    flash: FlashChip = field(default_factory=FlashChip)
    ports: Ports = field(default_factory=Ports)
    pin_changes: list[PinChange] = field(default_factory=list)
    gc_heap_bytes: int | None = None
    in_step: bool = False
    stop_at: float | None = None
    frame_limit: int | None = None


def power_on(setup: Setup, write: Callable[[str], None]) -> Board:
    """A board whose firmware has started; `write` receives what it prints."""
    firmware = setup.firmware or find(setup.kind.firmware)
    boot = firmware.boot(setup.gc_heap_bytes or firmware.gc_heap_bytes)
    full = "find_blobs" in firmware.features
    heap = SystemMemory(boot.heap, scratch_bytes=SCRATCH_BYTES_FULL if full else SCRATCH_BYTES_MINIMUM)
    heap.allocate(DRIVERS_BYTES, "drivers")
    clock = Clock(in_step=setup.in_step, stop_at=setup.stop_at)
    mounts: dict[str, Path] = {}
    if setup.flash_folder is not None:
        mounts["/flash"] = setup.flash_folder
    if setup.sd_folder is not None:
        mounts["/sd"] = setup.sd_folder
    files = Card(
        mounts,
        working="/sd" if setup.sd_folder is not None else "/flash" if mounts else "/",
        room={"/flash": FILE_SYSTEM_ROOM},
        spend=lambda mount, count, written: clock.advance(transfer_seconds(mount, count, written)),
    )
    pins = Pins(clock, idle=dict.fromkeys(setup.kind.buttons, 1))
    pins.functions.update({4: 18, 5: 19})  # UARTHS, the prompt
    pins.schedule(setup.pin_changes)
    return Board(
        name=setup.kind.name,
        firmware=firmware,
        clock=clock,
        gc=GcHeap(boot.gc_heap_bytes),
        heap=heap,
        files=files,
        flash=setup.flash,
        camera=setup.camera,
        lcd=setup.screen,
        ports=setup.ports,
        pins=pins,
        print=write,
        frame_limit=setup.frame_limit,
    )
