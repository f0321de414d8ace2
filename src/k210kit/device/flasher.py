"""Flashing: find port and board, choose the speed, write, get over faults, and say what was checked.

    plan ─▶ connect (ports x ways of resetting) ─▶ flash program ─▶ speed ─▶ blocks ─▶ restart
                ▲                                                     │
                └── wait for the port to come back · a lower speed ◀──┘ lost, or out of step

A block that was answered for is done and not sent again; the one that was under way is written anew as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from k210kit.errors import DeviceError
from k210kit.package import Entry

from .boards import BOARDS, SEQUENCES, Board, Sequence, guess
from .clock import Clock, RealClock
from .isp import FLASH_BLOCK_BYTES
from .plan import Block, FlashPlan
from .serial_port import FoundPort, Port, PortLost, choose_port, find_ports, open_port
from .session import OutOfStep, Session, WriteFailed

__all__ = ["DEFAULT_BAUD", "SPEEDS", "FlashOptions", "Flashed", "Flasher", "PortSource", "Told", "Unfinished", "flash"]

SPEEDS = (1_500_000, 921_600, 460_800, 230_400, 115_200)
DEFAULT_BAUD = SPEEDS[0]
SMALLEST_PIECE_BYTES = 4096
ROUNDS_OF_RESETTING = 3
MOST_RECONNECTS = len(SPEEDS) + 3  # without a block written in between
POLL_SECONDS = 0.5
START_SECONDS = 3.0
_GREETING = re.compile(rb"MicroPython v[^\r\n\0]{1,100}[\r\n]")
VERIFIED_BY = (
    "the board checked the CRC-32 of every block before writing it and answered when the chip was done; "
    "the K210's flash program cannot read the flash back"
)


class Unfinished(DeviceError):
    """A flashing that stopped half-way; `resume_at` is the flash address to go on at with `FlashOptions`."""

    def __init__(self, message: str, *, resume_at: int) -> None:
        self.resume_at = resume_at
        super().__init__(message)


class Told(Protocol):
    """Called with how much is done (0 to 1) and a line on what is being done."""

    def __call__(self, fraction: float, what: str = "") -> None: ...


class PortSource(Protocol):
    """Something that gives a port: opens it, and opens it again after it was lost."""

    @property
    def name(self) -> str: ...

    @property
    def clock(self) -> Clock: ...

    def candidates(self) -> tuple[FoundPort, ...]: ...

    def open(self, found: FoundPort) -> Port: ...


@dataclass(frozen=True, kw_only=True)
class SystemPorts:
    """The computer's own ports; `wanted` is the one that the user named."""

    wanted: str | None = None
    name: str = "system"
    clock: Clock = field(default_factory=RealClock)

    def candidates(self) -> tuple[FoundPort, ...]:
        found = find_ports()
        if self.wanted is None:
            return choose_port(found)
        named = tuple(port for port in found if port.name == self.wanted)
        return named or (FoundPort(name=self.wanted, title=self.wanted),)

    def open(self, found: FoundPort) -> Port:
        return open_port(found.name)


@dataclass(frozen=True, kw_only=True)
class FlashOptions:
    """How to flash. `board` None tries all; `resume_at` skips the blocks below that flash address.

    `write_ahead` sends a block while the former one is being written; no real board has shown yet that it bears that.
    """

    board: Board | None = None
    baud: int = DEFAULT_BAUD
    resume_at: int = 0
    wait_seconds: float = 30.0
    restart: bool = True
    write_ahead: bool = False


@dataclass(frozen=True, kw_only=True)
class Flashed:
    """What was done. `written` are the bytes sent to the flash; `baud` is the speed at the end; `bytes_per_second` is
    that of the writing alone, `seconds` are those of everything.

    `verified` is True when every block was checked; `verified_by` says by what. `started` is the greeting of a
    MicroPython that was flashed and started, empty if none was heard.
    """

    port: str
    board: str
    baud: int
    written: int
    verified: bool
    verified_by: str
    started: str
    seconds: float
    bytes_per_second: float
    reconnects: int
    files: tuple[Entry, ...]


class Flasher:
    """One flashing; `run` does it. `program` is the flash program for the boot ROM."""

    def __init__(
        self, plan: FlashPlan, source: PortSource, program: bytes, options: FlashOptions, told: Told | None = None,
        event: Callable[[str], None] | None = None,
    ) -> None:  # fmt: skip
        self._plan = plan
        self._source = source
        self._program = program
        self._options = options
        self._told: Told = told or (lambda fraction, what="": None)
        self._event = event or (lambda _: None)
        self._clock = source.clock
        self._speeds = [options.baud, *(speed for speed in SPEEDS if speed < options.baud)]
        self._done = {block.number for block in plan.blocks if block.address + FLASH_BLOCK_BYTES <= options.resume_at}
        self._reconnects = 0
        self._port: Port | None = None
        self._found: FoundPort | None = None
        self._sequence: Sequence | None = None
        self._board = ""
        self._ahead = options.write_ahead
        self._noisy = False
        self._started = self._writing_since = source.clock.now()
        self._written_here = 0

    def run(self) -> Flashed:
        """Flash everything; `DeviceError` says why not, and how to go on."""
        try:
            return self._run()
        except KeyboardInterrupt:
            raise self._given_up(DeviceError("Stopped by Ctrl-C.")) from None
        finally:
            if self._port is not None:
                self._port.close()

    def _run(self) -> Flashed:
        session = self._connect()
        vain = 0
        while True:
            before = len(self._done)
            try:
                self._prepare(session)
                if not self._reconnects:
                    self._writing_since = self._clock.now()
                self._write_all(session)
                break
            except (PortLost, OutOfStep, WriteFailed) as error:
                vain = 0 if len(self._done) > before else vain + 1
                if vain > MOST_RECONNECTS:
                    raise self._given_up(error) from error
                session = self._again(error)
        return self._result(session)

    # -- connecting

    def _connect(self) -> Session:
        """Try every port with every way of resetting that its USB chip makes likely."""
        candidates = self._source.candidates()
        failures: list[DeviceError] = []
        for found in candidates:
            try:
                port = self._source.open(found)
            except DeviceError as error:
                failures.append(error)
                continue
            self._port, self._found = port, found
            session = Session(port, self._clock)
            for sequence in self._ways(found):
                if session.enter_rom(sequence):
                    self._sequence, self._board = sequence, self._board_name(found, sequence)
                    return session
            port.close()
            self._port = None
        if failures and len(failures) == len(candidates):
            raise failures[0]
        raise self._no_answer(candidates)

    def _ways(self, found: FoundPort) -> Iterator[Sequence | None]:
        chosen = self._options.board
        likely = [one.sequence for one in guess(found.vendor, found.product)] if found.is_usb else []
        names = [chosen.sequence] if chosen else list(dict.fromkeys([*likely, *SEQUENCES]))
        for _ in range(ROUNDS_OF_RESETTING):
            yield from (SEQUENCES[name] for name in names)
        yield from (SEQUENCES[name] for name in SEQUENCES if name not in names)
        yield None  # the user holds the button, or the lines are not connected

    def _board_name(self, found: FoundPort, sequence: Sequence | None) -> str:
        chosen = self._options.board
        if sequence is None:
            return chosen.name if chosen else "unknown (put into boot mode by hand)"
        if chosen is not None and chosen.sequence == sequence.name:
            return chosen.name
        likely = [one for one in guess(found.vendor, found.product) if one.sequence == sequence.name and found.is_usb]
        fitting = likely or [one for one in BOARDS if one.sequence == sequence.name]
        if chosen is not None:
            names = ", ".join(one.name for one in fitting)
            raise DeviceError(
                f"The board on {found.name} is no {chosen.name}: it answers to the way of resetting of {names}. "
                f"Use --board {fitting[0].name}, or leave --board out."
            )
        return fitting[0].name if len(likely) == 1 else f"{fitting[0].name} or alike"

    def _no_answer(self, candidates: tuple[FoundPort, ...]) -> DeviceError:
        chosen = self._options.board
        likely = [chosen] if chosen else list(guess(candidates[0].vendor, candidates[0].product))
        ways = dict.fromkeys(f"{one.title}: {one.by_hand}" for one in likely[:4])
        names = ", ".join(found.name for found in candidates)
        return DeviceError(
            f"The port works, but no K210 in boot mode answers on {names} (every way of resetting was tried). "
            "Close whatever else uses the board (MaixPy IDE, a terminal), and put it into boot mode by hand. "
            + "; ".join(ways)
            + "."
        )

    def _again(self, error: DeviceError) -> Session:
        """After a fault: wait for the port, reset, and go on a step slower if the line is the likely cause."""
        self._reconnects += 1
        self._ahead = False
        self._noisy = self._noisy or not isinstance(error, PortLost)
        if not isinstance(error, PortLost) and len(self._speeds) > 1:
            self._speeds.pop(0)
        self._event(f"{error} Going on at {self._speeds[0]:,} baud.")
        waiting = False
        until = self._clock.now() + self._options.wait_seconds
        while True:
            try:
                return self._reopen()
            except DeviceError as failure:
                if self._clock.now() >= until:
                    raise self._given_up(failure) from failure
                if not waiting:
                    waiting = True
                    self._event(f"Waiting {self._options.wait_seconds:g} s for the board: plug it in again.")
                self._clock.sleep(POLL_SECONDS)

    def _reopen(self) -> Session:
        assert self._found is not None
        if self._port is not None:
            self._port.close()
        self._port = self._source.open(self._found)
        session = Session(self._port, self._clock, noisy=self._noisy)
        for _ in range(ROUNDS_OF_RESETTING):
            if session.enter_rom(self._sequence):
                return session
        raise OutOfStep("The board does not answer in boot mode any more.")

    def _given_up(self, error: DeviceError) -> DeviceError:
        left = [block for block in self._plan.blocks if block.number not in self._done]
        if not left:
            return DeviceError(f"All {self._plan.size:,} bytes are written. {error} Press RESET, or plug the board in.")
        done = sum(block.size for block in self._plan.blocks if block.number in self._done)
        resume_at = left[0].address
        return Unfinished(
            f"Not finished: {done:,} of {self._plan.size:,} bytes are written. {error} The block at 0x{resume_at:X} "
            f"may be half written. Check cable and power, then run the same command with --resume-at 0x{resume_at:X} "
            "(or without it, to write everything again).",
            resume_at=resume_at,
        )

    # -- writing

    def _prepare(self, session: Session) -> None:
        self._told(self._fraction(), "sending the flash program")
        session.start_flash_program(self._program)
        session.change_baud(self._speeds[0])
        session.initialise_flash()

    def _write_all(self, session: Session) -> None:
        blocks = [block for block in self._plan.blocks if block.number not in self._done]
        if self._ahead:
            self._write_ahead(session, blocks)
            blocks = [block for block in blocks if block.number not in self._done]
        for block in blocks:
            for address, data in block.pieces:
                self._write_piece(session, address, data)
            self._finished(block)

    def _write_piece(self, session: Session, address: int, data: bytes) -> None:
        """Write one piece; if it does not arrive whole, in halves: a noisy line lets short packets through."""
        try:
            session.write(address, data)
        except WriteFailed:
            if len(data) <= SMALLEST_PIECE_BYTES:
                raise
            half = len(data) // 2
            self._write_piece(session, address, data[:half])
            self._write_piece(session, address + half, data[half:])

    def _write_ahead(self, session: Session, blocks: list[Block]) -> None:
        pieces = [(block, piece) for block in blocks for piece in block.pieces]

        def done(index: int) -> None:
            block = pieces[index][0]
            if index + 1 == len(pieces) or pieces[index + 1][0] is not block:
                self._finished(block)

        if not pieces:
            return
        before, written = set(self._done), self._written_here
        try:
            session.write_ahead([piece for _, piece in pieces], done)
        except DeviceError:
            self._done, self._written_here = before, written  # which of them arrived is not known
            raise

    def _finished(self, block: Block) -> None:
        self._done.add(block.number)
        self._written_here += block.size
        left = sum(block.size for block in self._plan.blocks if block.number not in self._done)
        speed = self._speed()
        minutes, rest = divmod(round(left / speed), 60)
        name = self._plan.name_at(block.pieces[0][0])
        self._told(
            self._fraction(), f"{name} 0x{block.address:06X}  {speed / 1024:.1f} KiB/s  {minutes}:{rest:02} left"
        )

    def _speed(self) -> float:
        return self._written_here / max(self._clock.now() - self._writing_since, 1e-6)

    def _fraction(self) -> float:
        done = sum(block.size for block in self._plan.blocks if block.number in self._done)
        return done / max(self._plan.size, 1)

    def _restart(self, session: Session) -> str:
        try:
            session.reboot(self._sequence)
            if self._plan.files[0].address == 0:
                return session.listen(_GREETING, START_SECONDS)
        except PortLost:  # everything is written; the board is merely not restarted
            self._event("All is written, but the board did not restart: press RESET, or plug it in again.")
        return ""

    def _result(self, session: Session) -> Flashed:
        assert self._found is not None
        speed = self._speed()
        seconds = self._clock.now() - self._started
        started = self._restart(session) if self._options.restart else ""
        return Flashed(
            port=self._found.name,
            board=self._board,
            baud=self._speeds[0],
            written=self._written_here,
            verified=True,
            verified_by=VERIFIED_BY,
            started=started,
            seconds=seconds,
            bytes_per_second=speed,
            reconnects=self._reconnects,
            files=self._plan.entries,
        )


def flash(
    plan: FlashPlan,
    source: PortSource,
    program: bytes | Callable[[], bytes],
    options: FlashOptions | None = None,
    told: Told | None = None,
    event: Callable[[str], None] | None = None,
) -> Flashed:
    """Write `plan` onto the board behind `source`; `program` is the flash program, or what fetches it.

    `told` hears of progress, `event` of what a person should know at once: faults, lower speeds, waiting.
    """
    made = program() if callable(program) else program
    return Flasher(plan, source, made, options or FlashOptions(), told, event).run()
