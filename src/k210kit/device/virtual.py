"""A pretend board to plug in: as an object like pyserial's `Serial` on a modelled clock, and as a pseudo-terminal.

`VirtualPort` has all that a USB serial port has, reset lines too; time passes only while bytes travel or somebody
waits. `PtyBoard` lets any program talk to the board in real time; a pseudo-terminal has no reset lines, so those
are set through `PtyBoard.set_lines` or by writing to `PtyBoard.lines_fd`.
"""

from __future__ import annotations

import errno
import math
import os
import random
import select
import threading
import time
from collections import deque
from dataclasses import dataclass

from k210kit.errors import DeviceError

from .boards import SEQUENCES, Wiring
from .clock import ModelClock
from .flash_chip import FlashChip
from .pretend_rom import CRC_SECONDS_PER_BYTE, Mode, PretendBoard
from .serial_port import FoundPort, line_speed

__all__ = ["NO_FAULTS", "Faults", "PtyBoard", "VirtualPort", "VirtualSource"]

BITS_PER_BYTE = 10  # 8N1: start, eight data, stop
TRANSMIT_BUFFER_BYTES = 4096  # what the operating system takes before `write` waits
USB_LATENCY_SECONDS = 0.001  # a full-speed USB frame
BAUD_TOLERANCE = 0.03
_FOREVER = 3600.0


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What goes wrong on the wire, decided by `seed`.

    `flip` and `drop` are chances for each byte, in both directions. `silent_after`, `unplug_after`: after so many bytes
    from the computer the board hears nothing more, or the cable is pulled; it is plugged in again after
    `replug_seconds`. `cut_in_write` = (n, share): the power goes when the n-th block is written to that share.
    """

    seed: int = 0
    flip: float = 0.0
    drop: float = 0.0
    silent_after: int | None = None
    unplug_after: int | None = None
    replug_seconds: float = math.inf
    cut_in_write: tuple[int, float] | None = None


NO_FAULTS = Faults()


class VirtualPort:
    """A serial port with a pretend board behind it; the parts of pyserial's `Serial` that kflash and the kit use."""

    def __init__(
        self, chip: FlashChip, *, wiring: Wiring = SEQUENCES["dan"].wiring, faults: Faults = NO_FAULTS,
        clock: ModelClock | None = None, baudrate: int = 115_200, timeout: float | None = 0.1, name: str = "virtual",
        crc_seconds_per_byte: float = CRC_SECONDS_PER_BYTE,
    ) -> None:  # fmt: skip
        self.board = PretendBoard(
            chip, wiring=wiring, cut_in_write=faults.cut_in_write, crc_seconds_per_byte=crc_seconds_per_byte
        )
        self.clock = clock or ModelClock()
        self.faults = faults
        self.name = self.port = name
        self.timeout = timeout
        self.bytes_sent = 0
        self.wire_seconds = 0.0
        self.is_open = True
        self._random = random.Random(faults.seed)
        self._baudrate = baudrate
        self._dtr = self._rts = True
        self._line_free = 0.0
        self._board_line_free = 0.0
        self._received: deque[tuple[float, int, int]] = deque()  # when, what, how fast it was sent
        self._unplugged_at: float | None = None
        self.board.lines(True, True, 0.0)

    # -- settings and lines

    @property
    def baudrate(self) -> int:
        return self._baudrate

    @baudrate.setter
    def baudrate(self, value: int) -> None:
        self._pull()
        now = self.clock.now()
        here = [(at, self._as_heard(byte, baud), value) for at, byte, baud in self._received if at <= now]
        self._received = deque([*here, *(row for row in self._received if row[0] > now)])
        self._baudrate = value

    @property
    def dtr(self) -> bool:
        return self._dtr

    @dtr.setter
    def dtr(self, value: bool) -> None:
        self._check_plugged()
        self._dtr = bool(value)
        self.board.lines(self._dtr, self._rts, self.clock.now())

    @property
    def rts(self) -> bool:
        return self._rts

    @rts.setter
    def rts(self, value: bool) -> None:
        self._check_plugged()
        self._rts = bool(value)
        self.board.lines(self._dtr, self._rts, self.clock.now())

    # -- bytes

    def write(self, data: bytes, /) -> int:
        self._check_plugged()
        start = max(self.clock.now(), self._line_free)
        seconds_per_byte = BITS_PER_BYTE / self._baudrate
        limit = self.faults.unplug_after
        pulled = limit is not None and self.bytes_sent + len(data) > limit
        sent = data[: limit - self.bytes_sent] if limit is not None and pulled else data
        self._deliver(sent, start, seconds_per_byte)
        self._line_free = start + len(sent) * seconds_per_byte
        self.wire_seconds += len(sent) * seconds_per_byte
        self.clock.move_to(self._line_free - TRANSMIT_BUFFER_BYTES * seconds_per_byte)
        if pulled:
            self._unplug()
        self._check_plugged()
        return len(data)

    def read(self, size: int = 1, /) -> bytes:
        self._check_plugged()
        deadline = self.clock.now() + (_FOREVER if self.timeout is None else self.timeout)
        self._pull()
        taken = bytearray()
        while len(taken) < size and self._received and self._received[0][0] <= deadline:
            at, byte, baud = self._received.popleft()
            self.clock.move_to(at)
            taken.append(self._as_heard(byte, baud))
        if len(taken) < size:
            self.clock.move_to(deadline)
        return bytes(taken)

    @property
    def in_waiting(self) -> int:
        self._check_plugged()
        self._pull()
        now = self.clock.now()
        return sum(1 for row in self._received if row[0] <= now)

    def reset_input_buffer(self) -> None:
        self._check_plugged()
        self._pull()
        while self._received and self._received[0][0] <= self.clock.now():
            self._received.popleft()

    def reset_output_buffer(self) -> None:
        """Nothing waits to be sent: the bytes are on their way."""

    def flush(self) -> None:
        self._check_plugged()
        self.clock.move_to(self._line_free)

    # -- opening and closing

    def open(self) -> None:
        if self._unplugged_at is not None:
            if self.clock.now() < self._unplugged_at + self.faults.replug_seconds:
                raise FileNotFoundError(errno.ENOENT, "the pretend board is unplugged", self.name)
            self._unplugged_at = None
            self.board.power(True, self.clock.now())
        self._received.clear()
        self._line_free = self._board_line_free = self.clock.now()
        self.is_open = True
        self._dtr = self._rts = True
        self.board.lines(True, True, self.clock.now())

    def close(self) -> None:
        self.is_open = False

    # -- pyserial's older names, which kflash uses

    def setDTR(self, value: bool = True) -> None:
        self.dtr = value

    def setRTS(self, value: bool = True) -> None:
        self.rts = value

    def isOpen(self) -> bool:
        return self.is_open

    def inWaiting(self) -> int:
        return self.in_waiting

    def flushInput(self) -> None:
        self.reset_input_buffer()

    def flushOutput(self) -> None:
        self.reset_output_buffer()

    # -- the wire

    def _deliver(self, data: bytes, start: float, seconds_per_byte: float) -> None:
        silent = self.faults.silent_after
        heard = data if silent is None else data[: max(0, silent - self.bytes_sent)]
        self.bytes_sent += len(data)
        if not _fits(self._baudrate, self.board.baud):
            heard = self._random.randbytes(len(heard))
        heard = self._disturb(heard)
        if heard:
            self.board.receive(heard, lambda index: start + (index + 1) * seconds_per_byte)

    def _pull(self) -> None:
        """Take what the board has sent, each byte with the moment at which it is here."""
        answers = self.board.answers
        silent = self.faults.silent_after is not None and self.bytes_sent >= self.faults.silent_after
        while answers:
            answer = answers.popleft()
            data = self._disturb(answer.data)
            at = max(answer.at, self._board_line_free)
            for index, byte in enumerate(data):
                arrived = at + (index + 1) * BITS_PER_BYTE / answer.baud + USB_LATENCY_SECONDS
                if not silent:
                    self._received.append((arrived, byte, answer.baud))
            self._board_line_free = at + len(data) * BITS_PER_BYTE / answer.baud

    def _as_heard(self, byte: int, baud: int) -> int:
        """A byte at another speed than the port's is read as something else."""
        return byte if _fits(self._baudrate, baud) else 0

    def _disturb(self, data: bytes) -> bytes:
        faults = self.faults
        if not faults.flip and not faults.drop:
            return data
        made = bytearray(data)
        for index in _hits(self._random, faults.flip, len(made)):
            made[index] ^= 1 << self._random.randrange(8)
        for index in reversed(_hits(self._random, faults.drop, len(made))):
            del made[index]
        return bytes(made)

    def _unplug(self) -> None:
        self._unplugged_at = self.clock.now()
        self.board.power(False, self.clock.now())
        self._received.clear()
        self.faults = Faults(
            seed=self.faults.seed, flip=self.faults.flip, drop=self.faults.drop,
            replug_seconds=self.faults.replug_seconds,
        )  # fmt: skip

    def _check_plugged(self) -> None:
        if self.board.mode is Mode.OFF and self._unplugged_at is None:
            self._unplug()  # a board without power takes its USB chip with it
        if self._unplugged_at is not None:
            raise OSError(errno.EIO, "the pretend board was unplugged", self.name)
        if not self.is_open:
            raise OSError(errno.EBADF, "the port is closed", self.name)


@dataclass(frozen=True)
class VirtualSource:
    """Gives the flasher a pretend board, and gives it again after it was unplugged."""

    port: VirtualPort

    @property
    def name(self) -> str:
        return self.port.name

    @property
    def clock(self) -> ModelClock:
        return self.port.clock

    def candidates(self) -> tuple[FoundPort, ...]:
        return (FoundPort(name=self.port.name, title="a pretend board"),)

    def open(self, found: FoundPort) -> VirtualPort:
        self.port.close()
        try:
            self.port.open()
        except OSError as error:
            raise DeviceError(f"{found.name} cannot be opened: {error.strerror}.") from error
        return self.port


def _fits(one: int, other: int) -> bool:
    return abs(one - other) <= BAUD_TOLERANCE * other


def _hits(source: random.Random, chance: float, count: int) -> list[int]:
    """Which of `count` bytes are hit, each with `chance`; drawn by the gaps between them."""
    hits: list[int] = []
    at = -1
    while chance > 0:
        at += 1 + int(math.log(1.0 - source.random()) / math.log1p(-chance)) if chance < 1 else 1
        if at >= count:
            break
        hits.append(at)
    return hits


class PtyBoard:
    """A pretend board behind a pseudo-terminal, for programs that open a device by name (Linux and macOS).

    Use it as a context manager; `device` is what to open. Lines reach the board as text, "1 0" for DTR on and RTS off,
    through `lines_fd`, or by `set_lines`.
    """

    def __init__(self, chip: FlashChip, *, wiring: Wiring = SEQUENCES["dan"].wiring) -> None:
        self.board = PretendBoard(chip, wiring=wiring, crc_seconds_per_byte=0.0)
        self.device = ""
        self.lines_fd = -1
        self._lines_read = -1
        self._master = self._slave = -1
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> PtyBoard:
        import pty
        import tty

        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._lines_read, self.lines_fd = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="pretend board", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        for handle in (self._master, self._slave, self._lines_read, self.lines_fd):
            os.close(handle)

    def set_lines(self, dtr: bool, rts: bool) -> None:
        with self._lock:
            self.board.lines(dtr, rts, time.monotonic())

    def _serve(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._master, self._lines_read], [], [], 0.005)
            with self._lock:
                if self._lines_read in ready:
                    for line in os.read(self._lines_read, 4096).decode().splitlines():
                        self.board.lines(line[0] == "1", line[2] == "1", time.monotonic())
                if self._master in ready:
                    self._take(os.read(self._master, 65536))
                self._send()

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        speed = line_speed(self._slave)
        if speed is None or _fits(speed, self.board.baud):
            self.board.receive(data, lambda _: now)

    def _send(self) -> None:
        answers = self.board.answers
        while answers and answers[0].at <= time.monotonic():
            answer = answers.popleft()
            speed = line_speed(self._slave)
            if speed is None or _fits(speed, answer.baud):
                os.write(self._master, answer.data)
