"""A pretend K210: the boot ROM's serial protocol and the flash program's, on a flash chip in memory.

It has no clock of its own: whoever holds the wire says when each byte arrives, and takes the answers with the moment at
which each begins. What the flash program does was read from the machine code that kflash 1.1.6 carries; the boot ROM's
side is known only from what kflash sends and accepts. docs/design/flashing.md lists the facts and the gaps.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from k210kit.hardware import GENERAL_MEMORY_BYTES, PROGRAM_MARK, PROGRAM_MARK_AT
from k210kit.package import SECTOR_BYTES, is_wrapped, unwrap

from .boards import Wiring
from .flash_chip import BLOCK_BYTES, HALF_BLOCK_BYTES, FlashChip
from .isp import MEMORY_CHUNK_BYTES, ROM_BAUD, START_ADDRESS, Flash, Result, Rom
from .slip import SlipReader, encode

__all__ = ["Answer", "Mode", "PretendBoard"]

STUB_BAUD = 115_200
RESET_SETTLE_SECONDS = 0.010  # from releasing reset until the chip looks at its boot pin: the RC circuit on the boards
STUB_START_SECONDS = 0.050
GREETING_SECONDS = 1.0
_GREETING = re.compile(rb"MicroPython v[^\0\n]{1,80}")
CRC_SECONDS_PER_BYTE = 0.2e-6  # a loop over the bits, at an estimated 70 instructions a byte and 400 MHz
BUFFER_BYTES = 0x40000
MOST_PACKET_BYTES = 0x10010
SECOND_BUFFER = 1


class Mode(Enum):
    """What the chip is doing."""

    OFF = "no power"
    RUNNING = "runs what is in its flash"
    ROM = "boot ROM, waiting for a program"
    FLASHING = "flash program"
    HUNG = "does not answer until it is reset"


@dataclass(frozen=True)
class Answer:
    """Bytes that the board sends: from when on, and how fast."""

    at: float
    data: bytes
    baud: int


@dataclass
class _Stub:
    """The flash program's memory: two packet buffers used in turn, which keep what earlier packets left in them."""

    buffers: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    current: int = 0
    initialised: bool = False
    erased_at: float = 0.0  # when erasing in the background ends

    def store(self, packet: bytes) -> bytearray:
        buffer = self.buffers[self.current]
        self.current ^= SECOND_BUFFER
        kept = packet[:BUFFER_BYTES]
        buffer[: len(kept)] = kept
        return buffer


class PretendBoard:
    """One board: power, reset lines, mode, memory and flash chip.

    `wiring` says which reset sequence the board obeys. `cut_in_write` = (n, share) takes the power away when the n-th
    block write (from 0) has programmed that share of its pages.
    """

    def __init__(
        self, chip: FlashChip, *, wiring: Wiring, cut_in_write: tuple[int, float] | None = None,
        crc_seconds_per_byte: float = CRC_SECONDS_PER_BYTE,
    ) -> None:  # fmt: skip
        self.chip = chip
        self.wiring = wiring
        self.mode = Mode.RUNNING
        self.baud = ROM_BAUD
        self.answers: deque[Answer] = deque()
        self.writes = 0
        self._cut_in_write = cut_in_write
        self._crc_seconds = crc_seconds_per_byte
        self._ram = bytearray()
        self._reader = SlipReader()
        self._stub = _Stub()
        self._busy_until = 0.0
        self._lines = (False, False)
        self._in_reset = False
        self._released_at: float | None = None

    def power(self, on: bool, at: float) -> None:
        """Switch the board on or off; it then runs what its flash holds."""
        self._reset(Mode.RUNNING if on else Mode.OFF, at)
        self._ram.clear()

    def lines(self, dtr: bool, rts: bool, at: float) -> None:
        """The host set its control lines."""
        self._settle(at)
        before, self._lines = self._lines, (dtr, rts)
        if self.mode is Mode.OFF:
            return
        held = self.wiring.in_reset(before, self._lines)
        if self._in_reset and not held:
            self._released_at = at
        elif held:
            self._released_at = None
            self.mode = Mode.HUNG
            self._reader = SlipReader()
            self.answers.clear()
        self._in_reset = held

    def receive(self, data: bytes, arrival: Callable[[int], float]) -> None:
        """Bytes come in; `arrival(i)` is the moment at which byte i is there."""
        self._settle(arrival(0))
        if self.mode not in (Mode.ROM, Mode.FLASHING):
            return
        for index, packet in self._reader.feed(data):
            moment = arrival(index)
            if self.mode is Mode.ROM:
                self._rom(packet, moment)
            elif self.mode is Mode.FLASHING and moment >= self._busy_until:
                self._flash_program(packet, moment)
            elif self.mode is Mode.FLASHING:
                self._stub.store(packet)  # ended while the former was worked on: overwritten, never answered

    def _settle(self, at: float) -> None:
        """Some time after reset is released, the boot pin decides what the chip does."""
        if self._released_at is not None and at >= self._released_at + RESET_SETTLE_SECONDS:
            released, self._released_at = self._released_at, None
            self._reset(Mode.ROM if self.wiring.boot_pin_low(self._lines) else Mode.RUNNING, released)

    def _reset(self, mode: Mode, at: float) -> None:
        self.mode, self.baud = mode, ROM_BAUD
        self._reader, self._stub = SlipReader(), _Stub()
        self._busy_until = at
        self.answers.clear()

    def _answer(self, operation: int, result: int, at: float) -> None:
        self.answers.append(Answer(at, encode(bytes([operation, result])), self.baud))

    def _rom(self, packet: bytes, at: float) -> None:
        if len(packet) < 2:
            return
        operation = packet[0]
        place = packet[8:16].ljust(8, b"\0")
        address, length = struct.unpack("<II", place)
        if operation == Rom.NOP:
            self._answer(operation, Result.OK, at)
        elif operation == Rom.MEMORY_WRITE:
            self._answer(operation, self._write_memory(packet, address, length), at + len(packet) * self._crc_seconds)
        elif operation == Rom.MEMORY_BOOT and _checksum_is_right(packet):
            self._boot(address, at)
        else:
            self._answer(operation, Result.INVALID_COMMAND, at)

    def _write_memory(self, packet: bytes, address: int, length: int) -> Result:
        data = packet[16:]
        start = address - START_ADDRESS
        if length != len(data) or length > MEMORY_CHUNK_BYTES or not 0 <= start <= GENERAL_MEMORY_BYTES - length:
            return Result.BAD_LENGTH
        if not _checksum_is_right(packet):
            return Result.BAD_CHECKSUM
        if start > len(self._ram):  # a hole: what lies there is unknown, so the program will not run
            self._ram += b"\0" * (start - len(self._ram))
            self._ram[2:6] = b"\0\0\0\0"
        self._ram[start : start + length] = data
        return Result.OK

    def _boot(self, address: int, at: float) -> None:
        runs = address == START_ADDRESS and self._ram.startswith(PROGRAM_MARK, PROGRAM_MARK_AT)
        self._reset(Mode.FLASHING if runs else Mode.HUNG, at)
        self._busy_until = at + STUB_START_SECONDS
        self.baud = STUB_BAUD

    def _flash_program(self, packet: bytes, at: float) -> None:
        stub = self._stub
        buffer = stub.store(packet)
        if len(packet) > MOST_PACKET_BYTES:
            self._answer(Flash.NOP, Result.BAD_LENGTH, at)
            return
        if len(buffer) < 2 or buffer[1] or buffer[0] not in set(Flash) - {Flash.DEBUG_TEXT}:
            self._answer(buffer[0] if buffer else 0, Result.NONE, at)
            return
        operation = Flash(buffer[0])
        head = bytes(buffer[:20]).ljust(20, b"\0")
        checksum, address, length, first = struct.unpack("<4xIIII", head)
        result, seconds = self._operate(operation, bytes(buffer), checksum, address, length, first, at)
        if self.mode is Mode.FLASHING:
            self._busy_until = at + seconds
            self._answer(operation, result, self._busy_until)
            if operation == Flash.REBOOT and result == Result.OK:
                self.mode = Mode.RUNNING
                self._start(self._busy_until)

    def _start(self, at: float) -> None:
        """Run what the flash holds: a whole MicroPython greets after a moment."""
        flash = self.chip.read(0, GENERAL_MEMORY_BYTES)
        if is_wrapped(flash) and (greeting := _GREETING.search(unwrap(flash))):
            self.answers.append(Answer(at + GREETING_SECONDS, greeting.group() + b"\r\n", ROM_BAUD))

    def _operate(
        self, operation: Flash, buffer: bytes, checksum: int, address: int, length: int, first: int, at: float
    ) -> tuple[Result, float]:
        stub = self._stub
        if operation == Flash.NOP:
            return Result.OK, 0.0
        if operation == Flash.CHANGE_BAUD:
            if length != 4:
                return Result.BAD_LENGTH, 0.0
            self.baud = first
            return Result.OK, 0.0
        if operation == Flash.INIT:
            if address > 1:  # the chip type lies where the address does
                return Result.INVALID_COMMAND, 0.0
            stub.initialised = True
            return Result.OK, 0.0
        if operation == Flash.REBOOT:
            return Result.OK, 0.0
        if not stub.initialised:
            return Result.INVALID_COMMAND, 0.0
        if operation == Flash.STATUS:
            return (Result.BUSY if self._is_erasing(at) else Result.OK), 0.0
        if operation == Flash.WRITE:
            return self._write(buffer, checksum, address, length, at)
        return self._erase(operation, buffer, checksum, address, length, at)

    def _write(self, buffer: bytes, checksum: int, address: int, length: int, at: float) -> tuple[Result, float]:
        if length + 16 > len(buffer) + BUFFER_BYTES:
            self.mode = Mode.HUNG  # it would take the checksum of memory that is not there
            return Result.NONE, 0.0
        seconds = (length + 8) * self._crc_seconds
        if zlib.crc32(buffer[8 : 16 + length].ljust(8 + length, b"\0")) != checksum:
            return Result.BAD_CHECKSUM, seconds
        if self._is_erasing(at):
            return Result.BUSY, seconds
        data = buffer[16 : 16 + length]
        while data:
            start = address // BLOCK_BYTES * BLOCK_BYTES
            piece = data[: BLOCK_BYTES - (address - start)]
            seconds += self._write_block(start, address - start, piece)
            if self.mode is Mode.OFF:
                return Result.NONE, seconds
            data, address = data[len(piece) :], start + BLOCK_BYTES
        return Result.OK, seconds

    def _write_block(self, start: int, offset: int, piece: bytes) -> float:
        """Read, change, erase and program one 64 KiB block; a whole one is not read."""
        block = bytearray(self.chip.read(start, BLOCK_BYTES))
        block[offset : offset + len(piece)] = piece
        seconds = self.chip.erase(start, BLOCK_BYTES)
        cut, self.writes = self._cut_in_write, self.writes + 1
        if cut and self.writes == cut[0] + 1:
            self.chip.program(start, bytes(block[: int(BLOCK_BYTES * cut[1])]))
            self._cut_in_write = None
            self._reset(Mode.OFF, 0.0)
            return seconds
        return seconds + self.chip.program(start, bytes(block))

    def _erase(
        self, operation: Flash, buffer: bytes, checksum: int, address: int, length: int, at: float
    ) -> tuple[Result, float]:
        if self._is_erasing(at):
            return Result.BUSY, 0.0
        if zlib.crc32(buffer[8:16]) != checksum:
            return Result.BAD_CHECKSUM, 0.0
        if address == 0 and length == 0:
            return Result.OK, self.chip.erase_all()
        if address % SECTOR_BYTES or length % SECTOR_BYTES or length == 0:
            return Result.BAD_LENGTH, 0.0
        seconds, end = 0.0, address + length
        while address < end:
            size = next(
                size
                for size in (BLOCK_BYTES, HALF_BLOCK_BYTES, SECTOR_BYTES)
                if address % size == 0 and end - address >= size
            )
            seconds += self.chip.erase(address, size)
            address += size
        if operation == Flash.ERASE:
            return Result.OK, seconds
        self._stub.erased_at = at + seconds
        return Result.OK, 0.0

    def _is_erasing(self, at: float) -> bool:
        return at < self._stub.erased_at


def _checksum_is_right(packet: bytes) -> bool:
    return len(packet) >= 8 and zlib.crc32(packet[8:]) == struct.unpack_from("<I", packet, 4)[0]
