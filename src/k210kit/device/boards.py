"""The boards: which USB chip they have, how their reset lines are wired, how to get them to listen by hand.

Which sequence a board needs is known from kflash 1.1.6, from the board list of kflash_gui (boards_info.json) and from
the installation pages of krux; `proven` says so, False means concluded from boards of the same make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from k210kit.errors import unknown

__all__ = ["BOARDS", "SEQUENCES", "Board", "Step", "Wiring", "board", "guess"]

Lines = tuple[bool, bool]  # DTR, RTS: True is asserted, which is a low level on the pin


@dataclass(frozen=True)
class Step:
    """Set the control lines to this, then wait; `rts_first` because the order matters by some microseconds."""

    dtr: bool
    rts: bool
    rts_first: bool = False
    seconds: float = 0.1


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """How DTR and RTS reach reset and the boot pin (IO16), as a rule for the pretend board."""

    in_reset: Callable[[Lines, Lines], bool]  # lines before and now
    boot_pin_low: Callable[[Lines], bool]


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """A way of resetting: into the boot ROM (`to_isp`), or into the program in flash (`to_boot`)."""

    name: str
    to_isp: tuple[Step, ...]
    to_boot: tuple[Step, ...]
    wiring: Wiring


_OFF = Step(False, False, seconds=0.05)

SEQUENCES: dict[str, Sequence] = {
    sequence.name: sequence
    for sequence in (
        Sequence(
            name="dan",  # RTS is reset, DTR the boot pin
            to_isp=(_OFF, Step(False, True), Step(True, False, rts_first=True)),
            to_boot=(_OFF, Step(False, True), Step(False, False, rts_first=True)),
            wiring=Wiring(in_reset=lambda _, now: now[1], boot_pin_low=lambda now: now[0]),
        ),
        Sequence(
            name="kd233",  # DTR is reset, RTS the boot pin
            to_isp=(_OFF, Step(True, False), Step(False, True, rts_first=True)),
            to_boot=(_OFF, Step(True, False), Step(False, False, rts_first=True)),
            wiring=Wiring(in_reset=lambda _, now: now[0], boot_pin_low=lambda now: now[1]),
        ),
        Sequence(
            name="goD",  # the CMSIS-DAP firmware before 2019-02-21 makes the pulses itself
            to_isp=(Step(True, True), Step(True, False, rts_first=True), Step(True, False)),
            to_boot=(_OFF, Step(True, False, rts_first=True), Step(True, True, rts_first=True)),
            wiring=Wiring(
                in_reset=lambda before, now: before[0] and now[0] and before[1] != now[1],
                boot_pin_low=lambda now: now == (True, False),
            ),
        ),
    )
}


@dataclass(frozen=True, kw_only=True)
class Board:
    """One board: `name` is what `--board` takes; `sequence` names its way of resetting.

    `usb` are vendor and product numbers of its USB chip; `port_index` says which of several ports of one board it is.
    """

    name: str
    title: str
    sequence: str
    usb: tuple[tuple[int, int], ...]
    by_hand: str
    port_index: int = 0
    most_baud: int = 1_500_000
    proven: bool = True


_CH340 = (0x1A86, 0x7523)
_CH552 = (0x0403, 0x6010)  # a CH552 that answers as an FT2232: two ports
_FT232 = (0x0403, 0x6001)
_FT2232 = (0x0403, 0x6010)
_DAP = (0xC251, 0xF001)
_CP210X = (0x10C4, 0xEA60)

_BOOT_KEY = "hold BOOT, press and release RESET, release BOOT, and start again"
_UNPLUG = "unplug it, wait three seconds, plug it in again and start again; nothing else may use the port"

BOARDS: tuple[Board, ...] = (
    Board(name="unitv", title="M5Stack UnitV", sequence="kd233", usb=(_FT232,), by_hand=_UNPLUG, proven=False),
    Board(
        name="stickv",
        title="M5StickV",
        sequence="kd233",
        usb=(_FT232,),
        by_hand="hold the power button for six seconds to switch it off, press it for two to switch it on, start again",
    ),
    Board(name="dan", title="Sipeed Maix Dock (M1, M1W)", sequence="dan", usb=(_CH340,), by_hand=_BOOT_KEY),
    Board(name="bit", title="Sipeed Maix Bit without microphone", sequence="dan", usb=(_CH340,), by_hand=_BOOT_KEY),
    Board(
        name="bit_mic",
        title="Sipeed Maix Bit with microphone",
        sequence="kd233",
        usb=(_CH552,),
        by_hand=_BOOT_KEY,
    ),
    Board(name="goE", title="Sipeed Maix Go", sequence="kd233", usb=(_FT2232,), by_hand=_BOOT_KEY, port_index=1),
    Board(
        name="goD",
        title="Sipeed Maix Go with CMSIS-DAP firmware before 2019-02-21",
        sequence="goD",
        usb=(_DAP,),
        by_hand=_BOOT_KEY,
    ),
    Board(name="maixduino", title="Sipeed Maixduino", sequence="kd233", usb=(_FT2232,), by_hand=_BOOT_KEY),
    Board(name="amigo", title="Sipeed Maix Amigo", sequence="kd233", usb=(_CH552,), by_hand=_UNPLUG, port_index=1),
    Board(name="cube", title="Sipeed Maix Cube", sequence="kd233", usb=(_CH552,), by_hand=_UNPLUG, port_index=1),
    Board(name="trainer", title="Maix Trainer", sequence="dan", usb=(_FT2232,), by_hand=_BOOT_KEY),
    Board(
        name="kd233",
        title="Kendryte KD233",
        sequence="kd233",
        usb=(_FT2232, _CP210X),
        by_hand="set the jumpers for automatic download, or " + _BOOT_KEY,
    ),
    Board(
        name="cyberEye",
        title="Canaan CyberEye",
        sequence="kd233",
        usb=(_CH340, _FT2232),
        by_hand=_BOOT_KEY,
        proven=False,
    ),
    Board(
        name="canmv",
        title="01Studio CanMV K210",
        sequence="dan",
        usb=(_CH340,),
        by_hand=_BOOT_KEY,
        proven=False,
    ),
    Board(name="yahboom", title="Yahboom K210", sequence="kd233", usb=(_CH340,), by_hand=_BOOT_KEY),
)


def board(name: str) -> Board:
    """The board of that name, whatever its case."""
    for one in BOARDS:
        if one.name.lower() == name.lower():
            return one
    raise unknown("board", name, (one.name for one in BOARDS), "Without --board all are tried.")


def guess(vendor: int | None, product: int | None) -> tuple[Board, ...]:
    """The boards that have such a USB chip; all of them if none has."""
    fitting = tuple(one for one in BOARDS if (vendor, product) in one.usb)
    return fitting or BOARDS
