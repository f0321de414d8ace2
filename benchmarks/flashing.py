"""Flashing a pretend board: how near to the wire's limit, against kflash itself, and 1,000 times with random faults.

    python -m benchmarks.flashing [--times 1000] [--seed 0] [--kflash 300]

All times are those of the model: bytes take ten bits each at the line's speed, the chip is busy as long as the
W25Q128JV's data sheet says (typical values), USB adds one millisecond to each answer.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import math
import random
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from k210kit.device import (
    Faults,
    FlashChip,
    FlashFile,
    FlashOptions,
    FlashPlan,
    VirtualPort,
    VirtualSource,
    flash,
    flash_program,
    plan_flash,
)
from k210kit.device.flash_chip import INSTANT, W25Q128, FlashTiming
from k210kit.device.isp import Flash, request
from k210kit.device.pretend_rom import CRC_SECONDS_PER_BYTE
from k210kit.errors import DeviceError
from k210kit.package import Kfpkg, KfpkgFile, wrap, write_kfpkg

BAUD = 1_500_000
PROGRAM_BYTES = 2_115_264  # as large as MaixPy's full firmware
MODEL_BYTES = 1_882_056  # as large as a MobileNet 0.75 of 224 x 224
MOST_SECONDS = 1800.0
# what the board behind the wire needs beside the wire: its flash chip, and a checksum over each block
BOARDS = (
    ("chip as in its data sheet", W25Q128, CRC_SECONDS_PER_BYTE),
    ("chip that needs no time", INSTANT, CRC_SECONDS_PER_BYTE),
    ("board that needs no time", INSTANT, 0.0),
)
KINDS = ("noise", "loss", "noise and loss", "silence", "unplugged", "unplugged and back", "power cut", "all at once")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kflash", type=int, default=0, help="how often to let kflash meet the same faults")
    arguments = parser.parse_args()
    speeds()
    tally = faulty_flashings(arguments.times, arguments.seed)
    report(f"{arguments.times} flashings with random faults (seeds {arguments.seed} and up)", tally)
    if arguments.kflash:
        report(
            f"kflash 1.1.6, {arguments.kflash} flashings with the same faults",
            faulty_flashings(arguments.kflash, arguments.seed, kflash_outcome),
        )
    sys.exit(1 if any("wrong" in ending for _, ending in tally) else 0)


def report(title: str, tally: Tally) -> None:
    print(f"\n{title}:")
    for (kind, ending), count in sorted(tally.items()):
        print(f"  {kind:20} {ending:28} {count:5}")
    endings: Counter[str] = Counter()
    for (_, ending), count in tally.items():
        endings[ending] += count
    print("  in all: " + ", ".join(f"{count} {ending}" for ending, count in endings.most_common()))


# -- speed


def speeds() -> None:
    """The kit and kflash on the same pretend board."""
    program, model = random.Random(1).randbytes(PROGRAM_BYTES), random.Random(2).randbytes(MODEL_BYTES)
    plan = plan_flash(
        [
            FlashFile(name="program", address=0, data=wrap(program)),
            FlashFile(name="model", address=0x300000, data=model),
        ]
    )
    limit = wire_limit(plan)
    print(f"a package of {plan.size:,} bytes at {BAUD:,} baud; the wire's limit is {limit:,.0f} bytes a second")
    print(f"{'':46}{'seconds':>9}{'bytes/s':>10}{'of the limit':>14}")
    for title, timing, crc in BOARDS:
        for name, ahead in (("k210kit", False), ("k210kit --write-ahead", True)):
            seconds, speed = kit(plan, timing, crc, ahead=ahead)
            line(f"{name}, {title}", seconds, speed, limit)
        seconds, writing = kflash(plan, timing, crc)
        line(f"kflash 1.1.6, {title}", seconds, plan.size / writing, limit)


def kit(plan: FlashPlan, timing: FlashTiming, crc: float, *, ahead: bool = False) -> tuple[float, float]:
    """Seconds of all, and bytes a second while writing."""
    chip = FlashChip(timing=timing)
    port = VirtualPort(chip, crc_seconds_per_byte=crc)
    result = flash(plan, VirtualSource(port), flash_program, FlashOptions(write_ahead=ahead, baud=BAUD))
    assert holds(chip, plan)
    return result.seconds, result.bytes_per_second


def line(name: str, seconds: float, speed: float, limit: float) -> None:
    print(f"{name:46}{seconds:9.2f}{speed:10,.0f}{speed / limit:13.1%}")


def wire_limit(plan: FlashPlan) -> float:
    """Bytes a second if the line sent nothing but the blocks, one after another: packets, their heads and escapes."""
    wire = sum(len(request(Flash.WRITE, at, data)) for block in plan.blocks for at, data in block.pieces)
    return plan.size / wire * BAUD / 10


def kflash(plan: FlashPlan, timing: FlashTiming, crc: float) -> tuple[float, float]:
    """Seconds of all and of the writing alone that the published kflash takes on the same board."""
    port = VirtualPort(FlashChip(timing=timing), crc_seconds_per_byte=crc)
    moments = run_kflash(plan, port)  # after each block
    assert holds(port.board.chip, plan)
    first_block = moments[1] - moments[0]
    return port.clock.now(), moments[-1] - moments[0] + first_block


def run_kflash(plan: FlashPlan, port: VirtualPort) -> list[float]:
    """Let the published kflash flash the plan over `port`; return the moments at which it had written a block.

    `TooLong` ends it after half an hour of the model, since it can wait for an answer for ever.
    """
    import kflash as published
    import serial

    moments: list[float] = []
    sizes = {len(file.data) for file in plan.files}
    files = tuple(KfpkgFile(address=file.address, name=file.name, data=file.data) for file in plan.files)
    real_serial, real_time = serial.Serial, published.time

    def told(_: str, done: int, total: int, __: str) -> None:
        if total in sizes:
            moments.append(port.clock.now())

    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder, "package.kfpkg")
        write_kfpkg(Kfpkg(files=files), path)
        try:
            serial.Serial = lambda **_: ImpatientPort(port)
            published.time = types.SimpleNamespace(time=port.clock.now, sleep=port.clock.sleep)
            published.KFlash().process(
                terminal=False, dev="virtual", baudrate=BAUD, file=str(path), noansi=True, callback=told
            )
        finally:
            serial.Serial, published.time = real_serial, real_time
    return moments


class TooLong(BaseException):
    """Not an `Exception`, because kflash catches those and tries again."""


class ImpatientPort:
    """The port, until half an hour of its clock has passed."""

    def __init__(self, port: VirtualPort) -> None:
        object.__setattr__(self, "_port", port)

    def __getattr__(self, name: str) -> Any:  # Any: whatever the port has
        if self._port.clock.now() > MOST_SECONDS:
            raise TooLong
        return getattr(self._port, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._port, name, value)


# -- faults


Tally = Counter[tuple[str, str]]  # kind of fault, how it ended


@dataclass(frozen=True)
class Trial:
    """One flashing: what goes wrong, and how."""

    kind: str
    faults: Faults
    ahead: bool


def trial(seed: int, size: int) -> Trial:
    """Draw what goes wrong in a flashing of `size` bytes."""
    source = random.Random(seed)
    kind = source.choice(KINDS)
    noise = 10 ** source.uniform(-7, -3.5) if kind in ("noise", "noise and loss", "all at once") else 0.0
    loss = 10 ** source.uniform(-7, -3.5) if kind in ("loss", "noise and loss", "all at once") else 0.0
    pulled = source.randrange(size) if kind.startswith("unplugged") or kind == "all at once" else None
    back = kind in ("unplugged and back", "all at once") or (kind == "power cut" and source.random() < 0.5)
    faults = Faults(
        seed=seed,
        flip=noise,
        drop=loss,
        silent_after=source.randrange(size) if kind == "silence" else None,
        unplug_after=pulled,
        replug_seconds=source.uniform(0, 20) if back else math.inf,
        cut_in_write=(source.randrange(8), source.random()) if kind == "power cut" else None,
    )
    return Trial(kind, faults, source.random() < 0.3)


def faulty_flashings(times: int, seed: int, ends: Callable[[FlashPlan, Trial], str] | None = None) -> Tally:
    """Flash again and again; count for each kind of fault how it ended."""
    ends = ends or outcome
    program = wrap(random.Random(1).randbytes(300_000))
    model = random.Random(2).randbytes(150_001)
    plan = plan_flash(
        [
            FlashFile(name="program", address=0, data=program),
            FlashFile(name="model", address=0x4F000, data=model),  # shares a 64 KiB block with the program's end
        ]
    )
    tally: Tally = Counter()
    for number in range(seed, seed + times):
        one = trial(number, plan.size + 20_000)
        tally[one.kind, ends(plan, one)] += 1
    return tally


def outcome(plan: FlashPlan, one: Trial) -> str:
    """Flash with the faults; after an error, once more without them."""
    chip = FlashChip()
    options = FlashOptions(write_ahead=one.ahead)
    try:
        flash(plan, VirtualSource(VirtualPort(chip, faults=one.faults)), flash_program, options)
    except DeviceError:
        flash(plan, VirtualSource(VirtualPort(chip)), flash_program, options)
        return "error, second try right" if holds(chip, plan) else "wrong after the second try"
    return "right" if holds(chip, plan) else "wrong, and said to be right"


def kflash_outcome(plan: FlashPlan, one: Trial) -> str:
    """The same faults with the published kflash."""
    port = VirtualPort(FlashChip(), faults=one.faults)
    try:
        run_kflash(plan, port)
    except TooLong:
        return "never ends"
    except Exception:  # kflash raises nothing more precise
        return "error"
    return "right" if holds(port.board.chip, plan) else "wrong, and said to be right"


def holds(chip: FlashChip, plan: FlashPlan) -> bool:
    """Whether the chip holds every file, and nothing else where nothing was written."""
    wanted = bytearray(b"\xff" * len(chip.data))
    for file in plan.files:
        wanted[file.address : file.end] = file.data
    return bytes(wanted) == bytes(chip.data)


if __name__ == "__main__":
    main()
