"""One conversation with one board: reset, boot ROM, flash program, block after block.

Answers carry neither number nor checksum, and a lost end byte makes the flash program take gaps for packets (`slip`).
It then answers to what its two packet buffers still hold: an old block is written again, and "written" is the answer.
So no answer is believed by itself:

* before each block go an empty command and a question for the status. Out of step the answers come from two buffers in
  turn, the first and the third of them alike; "empty, status, written" can only mean that this very block arrived;
* to get into step again, "empty, empty, status" is asked for, for the same reason;
* once anything unexpected was heard, a block counts as written when that was answered twice, because one bit changes
  "bad checksum" (0xE2) into "done" (0xE0).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable

from k210kit.errors import DeviceError

from .boards import Sequence, Step
from .clock import Clock
from .isp import (
    MEMORY_CHUNK_BYTES,
    NOP,
    ROM_BAUD,
    ROM_NOP,
    START_ADDRESS,
    STATUS,
    Flash,
    Reply,
    Result,
    Rom,
    request,
)
from .serial_port import PORT_FAULTS, Port, PortLost, has_no_lines
from .slip import SlipReader

__all__ = ["OutOfStep", "Session", "WriteFailed"]

ROM_TIMEOUT_SECONDS = 0.3
FLASH_TIMEOUT_SECONDS = 0.3
BAUD_CHANGE_SECONDS = 0.05
STUB_START_SECONDS = 0.1
WRITE_TIMEOUT_SECONDS = 6.0  # erase 2 s and 256 pages of 3 ms at most (W25Q128JV), and reading the block before
QUIET_SECONDS = 0.02
STEPS_TO_SYNC = 6
CHUNK_TRIES = 8
BUSY_TRIES = 20
READ_SLICE_SECONDS = 0.05
_IN_STEP = ((NOP, Flash.NOP), (NOP, Flash.NOP), (STATUS, Flash.STATUS))
_SETTING_FAULTS: tuple[type[Exception], ...] = (*PORT_FAULTS, ValueError)


class OutOfStep(DeviceError):
    """The board does not answer, or not to what was asked, even after trying to get into step."""


class WriteFailed(DeviceError):
    """The flash program refused a block again and again."""


class Session:
    """A board on a port. Every method raises `PortLost` when the port goes away."""

    def __init__(self, port: Port, clock: Clock, *, noisy: bool = False) -> None:
        self._noisy = noisy
        self._port = port
        self._clock = clock
        self._reader = SlipReader()
        self._packets: deque[bytes] = deque()

    # -- the boot ROM

    def enter_rom(self, sequence: Sequence | None) -> bool:
        """Reset the board into its boot ROM (None: it is there already) and see whether it answers."""
        self._set_baud(ROM_BAUD)
        if sequence is not None:
            self.reset(sequence.to_isp)
        self._drop_received()
        self._send(ROM_NOP)
        reply = self._answer(ROM_TIMEOUT_SECONDS)
        heard = reply is not None and reply.is_ok(Rom.NOP)
        return heard or self._sync_rom(steps=2)

    def reset(self, steps: tuple[Step, ...]) -> None:
        """Move DTR and RTS as the board's circuit wants it."""
        try:
            for step in steps:
                if step.rts_first:
                    self._port.rts, self._port.dtr = step.rts, step.dtr
                else:
                    self._port.dtr, self._port.rts = step.dtr, step.rts
                self._clock.sleep(step.seconds)
        except PORT_FAULTS as error:
            if not has_no_lines(error):
                raise _lost(error) from error

    def start_flash_program(self, program: bytes, told: Callable[[float], None] = lambda _: None) -> None:
        """Send the flash program to memory, start it, and wait for its answer."""
        for at in range(0, len(program), MEMORY_CHUNK_BYTES):
            self._write_memory(START_ADDRESS + at, program[at : at + MEMORY_CHUNK_BYTES])
            told(min(1.0, (at + MEMORY_CHUNK_BYTES) / len(program)))
        self._send(request(Rom.MEMORY_BOOT, START_ADDRESS))
        self._clock.sleep(STUB_START_SECONDS)
        self._greet()

    def _write_memory(self, address: int, chunk: bytes) -> None:
        for _ in range(CHUNK_TRIES):
            self._drop_received()
            self._send(request(Rom.MEMORY_WRITE, address, chunk))
            reply = self._answer(ROM_TIMEOUT_SECONDS + len(chunk) * 10 / ROM_BAUD)
            if reply is not None and reply.is_ok(Rom.MEMORY_WRITE):
                return
            self._noisy = True
            self._sync_rom()
        raise OutOfStep(f"The boot ROM does not take the flash program at 0x{address:X}.")

    # -- the flash program

    def change_baud(self, baud: int) -> None:
        """Go to another speed on both sides; the board changes first and answers at the new speed."""
        if baud == self._port.baudrate:
            return
        before = self._port.baudrate
        for _ in range(3):
            self._send(request(Flash.CHANGE_BAUD, 0, baud.to_bytes(4, "little")))
            self._clock.sleep(BAUD_CHANGE_SECONDS)
            self._set_baud(baud)
            if self._sync():
                return
            self._set_baud(before)
            if not self._sync():
                break
        raise OutOfStep(f"The board does not answer at {baud:,} baud.")

    def initialise_flash(self) -> None:
        """Let the flash program find its chip: number 1, on SPI0, as all these boards have it."""
        for _ in range(CHUNK_TRIES):
            self._drop_received()
            self._send(request(Flash.INIT, 1))
            reply = self._answer(1.0)
            if reply is not None and reply.is_ok(Flash.INIT):
                return
            self._greet()
        raise OutOfStep("The flash chip does not answer the flash program.")

    def write(self, address: int, data: bytes, tries: int = 2) -> None:
        """Write one piece of at most 64 KiB that crosses no block's end; return when the chip holds it."""
        frame = request(Flash.WRITE, address, data)
        busy = written = 0
        while tries and written < (2 if self._noisy else 1):
            reply = self._write_once(frame)
            if reply is not None and reply.is_ok(Flash.WRITE):
                written += 1
            elif reply == Reply(Flash.WRITE, Result.BUSY) and busy < BUSY_TRIES:
                busy += 1
                self._clock.sleep(0.5)
            else:
                tries -= 1
                self._noisy = True
                self._greet()
                if reply == Reply(Flash.WRITE, Result.INVALID_COMMAND):
                    self.initialise_flash()
        if not tries:
            raise WriteFailed(f"The block at 0x{address:06X} does not arrive whole ({reply or 'no answer'}).")

    def _write_once(self, frame: bytes) -> Reply | None:
        """Send a block behind two questions; the answer to the block, or the first that is not as it should be."""
        self._drop_received()
        self._send(NOP + STATUS + frame)
        for operation, timeout in (
            (Flash.NOP, FLASH_TIMEOUT_SECONDS),
            (Flash.STATUS, FLASH_TIMEOUT_SECONDS),
            (Flash.WRITE, WRITE_TIMEOUT_SECONDS),
        ):
            reply = self._answer(timeout)
            if reply is None or reply.operation != operation:
                return None
        return reply

    def write_ahead(self, pieces: list[tuple[int, bytes]], done: Callable[[int], None]) -> None:
        """Write pieces one after another, each sent while the former is being written; `done(i)` after each.

        Only the last byte of a packet is held back until the former packet is answered for: the flash program keeps two
        packets, and would lose one that ends too early. No questions fit in between, so none of the pieces may be
        believed to be written before this returns, which is after both sides were found in step at the end.
        """
        self._greet()
        for index, (address, data) in enumerate(pieces):
            frame = request(Flash.WRITE, address, data)
            self._send(frame[:-1])
            if index:
                self._expect_write(len(frame))
                done(index - 1)
            self._send(frame[-1:])
        self._expect_write(0)
        self._drop_received()
        if self._noisy or not all(self._asked(packet, operation) for packet, operation in _IN_STEP):
            raise WriteFailed("The board was out of step.")
        done(len(pieces) - 1)

    def _expect_write(self, bytes_under_way: int) -> None:
        reply = self._answer(WRITE_TIMEOUT_SECONDS + bytes_under_way * 10 / self._port.baudrate)
        if reply is None or not reply.is_ok(Flash.WRITE):
            raise WriteFailed(f"A block does not arrive whole ({reply or 'no answer'}).")

    def reboot(self, sequence: Sequence | None) -> None:
        """Start what is in the flash now: by command, and by the reset lines if the command gets no answer."""
        for _ in range(3):
            self._drop_received()
            self._send(request(Flash.REBOOT))
            reply = self._answer(1.0)
            if reply is not None and reply.is_ok(Flash.REBOOT):
                return
        if sequence is not None:
            self.reset(sequence.to_boot)

    def listen(self, pattern: re.Pattern[bytes], seconds: float) -> str:
        """What a started program says at 115,200 baud, as far as it fits `pattern`; empty if nothing does in time."""
        self._set_baud(ROM_BAUD)
        heard = b""
        until = self._clock.now() + seconds
        while self._clock.now() < until:
            heard += self._read_some(READ_SLICE_SECONDS)
            if found := pattern.search(heard):
                return found.group().decode(errors="replace").strip()
        return ""

    def _greet(self) -> None:
        if not self._sync():
            raise OutOfStep("The flash program on the board does not answer any more.")

    # -- packets

    def _sync_rom(self, *, steps: int = STEPS_TO_SYNC) -> bool:
        """Get into step with the boot ROM: an end byte more changes what it takes for a gap."""
        for step in range(steps):
            self._wait_until_quiet()
            self._send(ROM_NOP if step % 2 == 0 else b"\xc0" + ROM_NOP)
            reply = self._answer(ROM_TIMEOUT_SECONDS)
            if reply is not None and reply.is_ok(Rom.NOP):
                return True
        return False

    def _sync(self) -> bool:
        """Get into step with the flash program, or find that both are."""
        for step in range(STEPS_TO_SYNC):
            if step:
                self._wait_until_quiet()
                self._send(b"\xc0")
            self._drop_received()
            if all(self._asked(packet, operation) for packet, operation in _IN_STEP):
                return True
            self._noisy = self._noisy or step > 0
        return False

    def _asked(self, packet: bytes, operation: Flash) -> bool:
        self._send(packet)
        reply = self._answer(FLASH_TIMEOUT_SECONDS)
        return reply is not None and reply.operation == operation

    def _wait_until_quiet(self) -> bool:
        """Throw away what comes in until nothing does; True if there was something."""
        heard = bool(self._packets)
        self._drop_received()
        until = self._clock.now() + QUIET_SECONDS
        while self._clock.now() < until:
            if self._read_some(until - self._clock.now()):
                heard = True
                until = self._clock.now() + QUIET_SECONDS
        self._drop_received()
        return heard

    def _answer(self, timeout: float) -> Reply | None:
        """The next answer; texts that the flash program prints for debugging are passed over."""
        self._flush()
        until = self._clock.now() + timeout
        while True:
            while self._packets:
                reply = Reply.parse(self._packets.popleft())
                if reply is not None and reply.operation != Flash.DEBUG_TEXT:
                    return reply
            left = until - self._clock.now()
            if left <= 0:
                return None
            for _, packet in self._reader.feed(self._read_some(min(left, READ_SLICE_SECONDS))):
                self._packets.append(packet)

    def _drop_received(self) -> None:
        try:
            self._port.reset_input_buffer()
        except PORT_FAULTS as error:
            raise _lost(error) from error
        self._packets.clear()
        self._reader = SlipReader()

    def _send(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except PORT_FAULTS as error:
            raise _lost(error) from error

    def _flush(self) -> None:
        try:
            self._port.flush()
        except PORT_FAULTS as error:
            raise _lost(error) from error

    def _read_some(self, timeout: float) -> bytes:
        try:
            self._port.timeout = max(timeout, 0.0)
            return self._port.read(max(1, self._port.in_waiting))
        except PORT_FAULTS as error:
            raise _lost(error) from error

    def _set_baud(self, baud: int) -> None:
        try:
            self._port.baudrate = baud
        except _SETTING_FAULTS as error:
            raise DeviceError(f"This port cannot do {baud:,} baud ({error}). Use a lower --baud.") from error


def _lost(error: Exception) -> PortLost:
    return PortLost(f"The port went away ({error}).")
