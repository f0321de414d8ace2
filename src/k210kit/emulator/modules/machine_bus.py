"""`machine.I2C` and `machine.SPI`: buses with nothing on them, unless the board has an AXP192 or a test puts it there.

Sources: machine_i2c.c, machine_spi.c of MaixPy 0.6.2.
"""

from __future__ import annotations

import errno
from typing import Any, ClassVar, Protocol

from k210kit.emulator.board import Board
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.card import os_error
from k210kit.emulator.modules.image.arguments import as_int

__all__ = ["I2C", "SPI", "I2cDevice", "RegisterDevice", "i2c_devices"]


class I2cDevice(Protocol):
    """A chip on the bus."""

    def write(self, data: bytes) -> None: ...

    def read(self, count: int) -> bytes: ...


class RegisterDevice:
    """A chip with 256 byte registers: the first byte written chooses one, reads go on from there.

    One that is not `listed` answers who asks for it, but a scan does not show it.
    """

    def __init__(self, registers: dict[int, int] | None = None, *, listed: bool = True) -> None:
        self.registers = bytearray(256)
        self.listed = listed
        for address, value in (registers or {}).items():
            self.registers[address] = value
        self._at = 0

    def write(self, data: bytes) -> None:
        if data:
            self._at = data[0]
            for byte in data[1:]:
                self.registers[self._at] = byte
                self._at = (self._at + 1) % 256

    def read(self, count: int) -> bytes:
        made = bytes(self.registers[(self._at + i) % 256] for i in range(count))
        self._at = (self._at + count) % 256
        return made


def i2c_devices(board: Board) -> dict[int, I2cDevice]:
    """The chips on the board's I2C wires, by 7-bit address.

    M5StickV has its power chip, an AXP192, at 0x34, and a motion sensor that lies flat and still: early ones an SH200Q
    at 0x6C, later ones an MPU6886 at 0x68. Here both answer, and a scan shows the later one: no board has two.
    """
    devices: dict[int, I2cDevice] = board.modules.setdefault("i2c devices", {})
    if board.name == "m5stickv" and 0x34 not in devices:
        devices[0x34] = RegisterDevice({0x03: 0x03, 0x78: 0xC8, 0x79: 0x00, 0x5A: 0x8A, 0x5E: 0x60, 0x5F: 0x0A})
        devices[0x6C] = RegisterDevice({0x30: 0x18}, listed=False)
        # who it is; 1 g downwards at +-2 g; about 25 degrees (MPU6886 data sheet: 326.8 steps per degree from 25)
        devices[0x68] = RegisterDevice({0x75: 0x19, 0x3F: 0x40, 0x40: 0x00})
    return devices


class I2C:
    """An I2C master; slave mode is not emulated."""

    MODE_MASTER, MODE_SLAVE, MODE_MASTER_SOFT = 0, 1, 2
    I2C0, I2C1, I2C2, I2C3, I2C4, I2C5, I2C_SOFT = 0, 1, 2, 3, 4, 5, 3
    I2C_EV_START, I2C_EV_RESTART, I2C_EV_STOP = 0, 1, 2
    _board: ClassVar[Board]

    def __init__(self, id: int, **named: Any) -> None:
        """`id`, then what `init` takes (Any: the script's values)."""
        self.init(id, **named)

    def init(
        self,
        id: int,
        *,
        mode: int = 0,
        scl: Any = None,
        sda: Any = None,
        gscl: Any = None,
        gsda: Any = None,
        freq: int = 400000,
        timeout: int = 1000,
        addr: int = 0,
        addr_size: int = 7,
        on_receive: Any = None,
        on_transmit: Any = None,
        on_event: Any = None,
        us_delay: int = 0,
    ) -> None:
        """Configure the bus (Any: pins and calls of the script)."""
        self._number, self._mode, self._freq = as_int(id), as_int(mode), as_int(freq)
        if not 0 <= self._number <= 5:
            raise ValueError(f"[MAIXPY]I2C:{self._number} does not exist")
        if self._mode not in (0, 1, 2):
            raise ValueError("[MAIXPY]I2C: mode error!")
        if self._mode == self.MODE_MASTER and not 0 < self._freq <= 1_000_000:
            raise ValueError("[MAIXPY]I2C: freq value error!")
        if as_int(timeout) < 0:
            raise ValueError("[MAIXPY]I2C: timeout value error!")
        if as_int(addr_size) not in (7, 10):
            raise ValueError("[MAIXPY]I2C: addr size error!")
        self._pins = (scl, sda)

    def deinit(self) -> None:
        return None

    def scan(self) -> list[int]:
        """Addresses that answer."""
        self._pass(112)
        found = i2c_devices(self._board)
        return sorted(at for at, chip in found.items() if not isinstance(chip, RegisterDevice) or chip.listed)

    def writeto(self, addr: int, buf: Any, stop: bool = True) -> int:
        """Send bytes (Any: a buffer); their count, or OSError if nobody answers."""
        data = as_bytes(buf)
        self._device(addr).write(data)
        self._pass(len(data) + 1)
        return len(data)

    def readfrom(self, addr: int, len: int, stop: bool = True) -> bytes:
        """Read `len` bytes."""
        count = as_int(len)
        if count <= 0:
            raise ValueError("[MAIXPY]I2C: not support receive 0 byte data yet")
        self._pass(count + 1)
        return self._device(addr).read(count)

    def readfrom_into(self, addr: int, buf: Any, stop: bool = True) -> int:
        """Fill a buffer (Any: bytearray)."""
        buf[:] = self.readfrom(addr, len(buf))
        return len(buf)

    def writeto_mem(self, addr: int, memaddr: int, buf: Any, *, mem_size: int = 8) -> int:
        """Write to a register (Any: a buffer or one byte)."""
        data = bytes([buf]) if isinstance(buf, int) else as_bytes(buf)
        self._device(addr).write(_memory_address(memaddr, mem_size) + data)
        self._pass(len(data) + 2)
        return len(data)

    def readfrom_mem(self, addr: int, memaddr: int, nbytes: int, *, mem_size: int = 8) -> bytes:
        """Read from a register."""
        count = as_int(nbytes)
        if count <= 0:
            raise ValueError("[MAIXPY]I2C: not support receive 0 byte data yet")
        device = self._device(addr)
        device.write(_memory_address(memaddr, mem_size))
        self._pass(count + 3)
        return device.read(count)

    def readfrom_mem_into(self, addr: int, memaddr: int, buf: Any, *, mem_size: int = 8) -> int:
        """Fill a buffer from a register (Any: bytearray)."""
        buf[:] = self.readfrom_mem(addr, memaddr, len(buf), mem_size=mem_size)
        return len(buf)

    def _device(self, address: int) -> I2cDevice:
        found = i2c_devices(self._board).get(as_int(address))
        if found is None:
            self._pass(1)
            raise os_error(errno.EIO)
        return found

    def _pass(self, count: int) -> None:
        self._board.clock.advance(9 * count / max(1, self._freq))


def _memory_address(address: int, bits: int) -> bytes:
    if as_int(bits) not in (8, 16, 24, 32):
        raise ValueError("mem_size error")
    return as_int(address).to_bytes(bits // 8, "big")


class SPI:
    """An SPI master whose wires end nowhere: reads give 0xFF, as an open line does."""

    SPI0, SPI1, SPI2, SPI_SOFT = 0, 1, 2, 4
    LSB, MSB = 1, 0
    MODE_MASTER, MODE_MASTER_2, MODE_MASTER_4, MODE_MASTER_8, MODE_SLAVE = 0, 1, 2, 3, 4
    CS0, CS1, CS2, CS3 = 0, 1, 2, 3
    _board: ClassVar[Board]

    def __init__(self, id: int = -1, **named: Any) -> None:
        """`id`, then what `init` takes (Any: the script's values)."""
        self.init(id, **named)

    def init(
        self,
        id: int = -1,
        mode: int = 0,
        baudrate: int = 500000,
        *,
        polarity: int = 0,
        phase: int = 0,
        bits: int = 8,
        firstbit: int = 0,
        **pins: Any,
    ) -> None:
        """Configure the bus; `pins`: sck, mosi, miso, cs0 to cs3, d0 to d7 (Any: numbers or GPIO objects)."""
        allowed = {"sck", "mosi", "miso", *(f"cs{i}" for i in range(4)), *(f"d{i}" for i in range(8))}
        if not pins.keys() <= allowed:
            raise TypeError("extra keyword arguments given")
        if as_int(id) not in (0, 1, 2, 4):
            raise ValueError("[MAIXPY]SPI: spi id error( > 0 & !=3 )")
        if not 0 <= as_int(mode) <= 4:
            raise ValueError("[MAIXPY]SPI: spi mode error")
        if as_int(baudrate) <= 0:
            raise ValueError("[MAIXPY]SPI: baudrate(freq) value error")
        if as_int(polarity) not in (0, 1):
            raise ValueError("[MAIXPY]SPI: polarity should be 0 or 1")
        if as_int(phase) not in (0, 1):
            raise ValueError("[MAIXPY]SPI: ARG_phase should be 0 or 1")
        if not 4 <= as_int(bits) <= 32:
            raise ValueError("[MAIXPY]SPI: bits should be 4~32")
        self._baud = as_int(baudrate)
        self._open = True

    def deinit(self) -> None:
        self._open = False

    def read(self, nbytes: int, write: int = 0, cs: int = 0) -> bytes:
        self._pass(as_int(nbytes))
        return b"\xff" * as_int(nbytes)

    def readinto(self, buf: Any, write: int = 0, cs: int = 0) -> None:
        """Fill a buffer (Any: bytearray)."""
        self._pass(len(buf))
        buf[:] = b"\xff" * len(buf)

    def write(self, buf: Any, cs: int = 0) -> None:
        """Send bytes (Any: a buffer or an int)."""
        self._pass(1 if isinstance(buf, int) else len(as_bytes(buf)))

    def write_readinto(self, write_buf: Any, read_buf: Any, cs: int = 0) -> None:
        """Send and receive as many bytes (Any: buffers)."""
        if len(as_bytes(write_buf)) != len(read_buf):
            raise ValueError("[MAIXPY]SPI: buffers must be the same length")
        self.readinto(read_buf)

    def _pass(self, count: int) -> None:
        if not self._open:
            raise OSError("[MAIXPY]SPI: transfer on deinitialized SPI")
        self._board.clock.advance(8 * count / self._baud)
