"""`machine.UART`. Source: machine_uart.c. Bytes travel at the baud rate of board time, in both directions."""

from __future__ import annotations

from collections import deque
from typing import Any, ClassVar

from k210kit import timing
from k210kit.emulator.board import Board
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.modules.image.arguments import as_float, as_int
from k210kit.emulator.ports import Endpoint

__all__ = ["UART", "Line"]

UARTHS = 4
_DEVICES = (0, 1, 2, UARTHS)
_TX_FUNCTIONS = {0: 65, 1: 67, 2: 69, UARTHS: 19}  # fpioa numbers of UART1_TX, UART2_TX, UART3_TX, UARTHS_TX
_STOPS = {1.0: "1", 1.5: "1.5", 2.0: "2"}
_PARITIES = ("None", "odd", "even")
_POLL_SECONDS = 100e-6


class Line:
    """One serial line: what is on its way to the board, and the ring buffer that it falls into."""

    def __init__(self, end: Endpoint) -> None:
        self.end = end
        self.seconds_per_byte = 1.0
        self.room = 0
        self.received: deque[int] = deque()
        self.lost = 0
        self._coming: deque[tuple[float, int]] = deque()  # moment of arrival, byte
        self._last_arrival = 0.0

    def take(self, now: float) -> None:
        """Let what has arrived by now fall into the ring; what finds no room is lost, silently as on the board."""
        fresh = self.end.read(now)
        start = max(self._last_arrival, now - len(fresh) * self.seconds_per_byte)
        for i, byte in enumerate(fresh, 1):
            self._last_arrival = start + i * self.seconds_per_byte
            self._coming.append((self._last_arrival, byte))
        while self._coming and self._coming[0][0] <= now + 1e-9:
            byte = self._coming.popleft()[1]
            if len(self.received) < self.room:
                self.received.append(byte)
            else:
                self.lost += 1


class UART:
    """A serial port."""

    UART1, UART2, UART3, UARTHS = 0, 1, 2, UARTHS
    PARITY_ODD, PARITY_EVEN = 1, 2
    _board: ClassVar[Board]

    def __init__(self, id: int, *arguments: Any, **named: Any) -> None:
        """`id`, then what `init` takes (Any: the script's values, checked there)."""
        number = as_int(id)
        if number not in _DEVICES:
            raise ValueError(f"[MAIXPY]UART{number}:does not exist")
        self._number = number
        self._line = Line(self._board.ports.end(number))
        self.init(*arguments, **named)

    def init(
        self,
        baudrate: int = 115200,
        bits: int = 8,
        parity: int | None = None,
        stop: float | None = None,
        *,
        timeout: int = 1000,
        timeout_char: int = 10,
        read_buf_len: int = 2048,
        ide: bool = False,
        from_ide: bool = True,
    ) -> None:
        """Configure the port; its ring buffer lies in the GC heap."""
        baud = as_int(baudrate)
        if not 0 <= baud <= 0x500000:
            raise ValueError("[MAIXPY]UART:invalid baudrate")
        if not 5 <= as_int(bits) <= 8:
            raise ValueError("[MAIXPY]UART:invalid data bits")
        checked = 0 if parity is None else as_int(parity)
        if not 0 <= checked <= 2:
            raise ValueError("[MAIXPY]UART:invalid parity")
        stops = (1.0 if stop is None else as_float(stop)) or 1.0
        if stops not in _STOPS:
            raise ValueError("[MAIXPY]UART:invalid stop bits")
        if self._number == UARTHS and (bits != 8 or checked):
            raise ValueError("[MAIXPY]UART:invalid param")
        self._baud, self._bits, self._parity, self._stop = baud, bits, checked, stops
        self._timeout_char = as_int(timeout_char) / 1000
        size = max(0, as_int(read_buf_len))
        self._ring = self._board.gc.allocate(size + 1) if size else None
        self._line.room = size
        self._line.seconds_per_byte = timing.uart_seconds(1, baud) if baud else 1.0
        self._active = True
        self._board.clock.advance(1e-3)

    def deinit(self) -> None:
        self._active = False

    def any(self) -> int:
        """Bytes that wait in the ring."""
        self._board.clock.advance(2e-6)
        self._line.take(self._board.clock.now)
        return len(self._line.received)

    def read(self, size: int = -1) -> bytes | None:
        """What is there, at most `size` bytes, after at most `timeout_char` of waiting; None if nothing came."""
        if not self._wait():
            return None
        return self._pop(as_int(size))

    def readline(self) -> bytes | None:
        """Up to and with the next newline, as far as bytes follow each other within `timeout_char`."""
        made = bytearray()
        while self._wait():
            made += self._pop(1)
            if made.endswith(b"\n"):
                break
        return bytes(made) if made else None

    def readinto(self, buffer: Any, size: int = -1) -> int | None:
        """Fill a buffer (Any: bytearray or memoryview); how many bytes came, or None."""
        if not self._wait():
            return None
        room = len(buffer) if size < 0 else min(as_int(size), len(buffer))
        data = self._pop(room)
        buffer[: len(data)] = data
        return len(data)

    def readchar(self) -> int:
        """One byte, or -1."""
        return self._line.received.popleft() if self.any() else -1

    def write(self, data: Any, *_rest: int) -> int:
        """Send bytes (Any: string, buffer, picture); returns when they are on the wire."""
        sent = as_bytes(data)
        if not self._active:
            return 0
        self._board.clock.advance(timing.uart_seconds(len(sent), self._baud) if self._baud else 0.0)
        if self._board.pins.pin_of(_TX_FUNCTIONS[self._number]) is None:
            self._board.warn(
                f"machine.UART {self._number} sent bytes that reach no pin: register its TX with fm.register first."
            )
        else:
            self._line.end.write(sent, self._board.clock.now)
        return len(sent)

    def _wait(self) -> bool:
        """Wait up to `timeout_char` for a byte."""
        if not self._active:
            return False
        clock, until = self._board.clock, self._board.clock.now + self._timeout_char
        while not self.any():
            if clock.now >= until:
                return False
            clock.sleep(_POLL_SECONDS)
        return True

    def _pop(self, size: int) -> bytes:
        received = self._line.received
        count = len(received) if size < 0 else min(size, len(received))
        return bytes(received.popleft() for _ in range(count))

    @classmethod
    def repl_uart(cls) -> UART:
        """The port of the prompt."""
        if not hasattr(cls, "_repl"):
            cls._repl = cls(UARTHS, 115200, 8)
        return cls._repl

    @classmethod
    def set_repl_uart(cls, uart: UART) -> None:
        cls._repl = uart

    _repl: ClassVar[UART]

    def __repr__(self) -> str:
        return (
            f"[MAIXPY]UART{self._number + 1}:( baudrate={self._baud}, bits={self._bits}, "
            f"parity={_PARITIES[self._parity]}, stop={_STOPS[self._stop]})"
        )
