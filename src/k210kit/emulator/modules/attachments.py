"""Things that are attached to a board: `touchscreen`, `modules` (ws2812, ultrasonic, onewire), `pmu`, `audio`.

Sources: port/src/{touchscreen,modules,audio} of MaixPy 0.6.2; pmu: the library of the M5StickV firmware.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Any, ClassVar

from k210kit.emulator.board import Board
from k210kit.emulator.card import os_error
from k210kit.emulator.modules.bound import bound
from k210kit.emulator.modules.image.arguments import as_array, as_int
from k210kit.emulator.modules.table import device_module

__all__ = ["AudioModule", "ModulesModule", "PmuModule", "TouchscreenModule"]


@device_module("touchscreen", needs="touch")
class TouchscreenModule:
    """A touch panel that nobody touches."""

    STATUS_IDLE, STATUS_RELEASE, STATUS_PRESS, STATUS_MOVE = 0, 1, 2, 3
    NS2009, FT62XX = 1, 2

    def __init__(self, board: Board) -> None:
        self._board = board
        self._open = False

    def init(self, *arguments: Any, i2c: Any = None, type: Any = None, cal: Any = None) -> None:
        """Any: an I2C bus, a kind, seven numbers of a calibration."""
        if cal is not None and len(as_array(cal)) != 7:
            raise ValueError("tuple size must be 7")
        self._open = True

    def read(self) -> tuple[int, int, int]:
        """Status, x, y."""
        if not self._open:
            raise os_error(errno.EPERM)
        self._board.clock.advance(1e-3)
        return (self.STATUS_IDLE, 0, 0)

    def calibrate(self) -> tuple[int, ...]:
        return (65, 5853, -1083592, -4292, -15, 1450115, 65536)


class ws2812:
    """A chain of RGB LEDs; what `display` sends is kept."""

    _board: ClassVar[Board]

    def __init__(
        self, led_pin: int = -1, led_num: int = -1, i2s_num: int = 2, i2s_chn: int = 1, i2s_dma_chn: int = 1
    ) -> None:
        if as_int(led_pin) < 0 or as_int(led_num) <= 0:
            raise ValueError("[MAIXPY]ws2812:led_pin and led_num must be set")
        self._colors: list[tuple[int, int, int]] = [(0, 0, 0)] * led_num

    def set_led(self, number: int, color: Any) -> bool:
        """Any: (r, g, b)."""
        red, green, blue = (as_int(part) & 0xFF for part in as_array(color, 3))
        if not 0 <= as_int(number) < len(self._colors):
            raise ValueError("[MAIXPY]ws2812:index is out of range")
        self._colors[number] = (red, green, blue)
        return True

    def get_led(self, number: int) -> tuple[int, int, int]:
        return self._colors[as_int(number)]

    def display(self) -> bool:
        self._board.clock.advance(len(self._colors) * 30e-6)
        shown = self._board.modules.setdefault("ws2812 shown", deque(maxlen=1000))
        shown.append((self._board.clock.now, tuple(self._colors)))
        return True


class ultrasonic:
    """A distance sensor that hears no echo."""

    UNIT_CM, UNIT_INCH = 58, 148
    _board: ClassVar[Board]

    def __init__(self, gpio: int) -> None:
        self._gpio = as_int(gpio)

    def measure(self, unit: int = UNIT_CM, timeout: int = 1_000_000) -> int:
        self._board.clock.advance(0.03)
        return 0


class onewire:
    """A one-wire bus with nothing on it."""

    _board: ClassVar[Board]

    def __init__(self, gpio: int) -> None:
        if not 0 <= as_int(gpio) < 40:
            raise ValueError("gpio error")

    def reset(self) -> int:
        return 0

    def readbit(self) -> int:
        return 1

    def readbyte(self) -> int:
        return 255

    def readbuffer(self, count: int) -> bytes:
        return b"\xff" * as_int(count)

    def writebit(self, bit: int) -> None:
        return None

    def writebyte(self, byte: int) -> None:
        return None

    def writebuffer(self, data: Any) -> None:
        """Any: a buffer."""

    def select(self, rom: Any) -> None:
        """Any: a buffer."""

    def search(self, diff: Any = None) -> list[bytes]:
        """Any: how the search goes on."""
        return []

    def skip(self) -> None:
        return None

    def depower(self) -> None:
        return None

    def crc8(self, data: Any) -> int:
        """Any: a buffer."""
        crc = 0
        for byte in bytes(data):
            for bit in range(8):
                mix = (crc ^ byte >> bit) & 1
                crc = crc >> 1 ^ (0x8C if mix else 0)
        return crc


@device_module("modules")
class ModulesModule:
    """The module; ws2812 only where the firmware has it."""

    def __init__(self, board: Board) -> None:
        self.ultrasonic = bound(ultrasonic, board)
        self.onewire = bound(onewire, board)
        if board.has("ws2812"):
            self.ws2812 = bound(ws2812, board)


class axp192:
    """The power chip of M5StickV: a full battery, USB plugged in."""

    _board: ClassVar[Board]

    def __init__(self, *_: Any) -> None:
        """Any: an I2C bus."""

    def getVbatVoltage(self) -> float:
        return 4100.0

    def getUSBVoltage(self) -> float:
        return 5000.0

    def getUSBInputCurrent(self) -> float:
        return 120.0

    def getConnextVoltage(self) -> float:
        return 0.0

    def getConnextInputCurrent(self) -> float:
        return 0.0

    def getBatteryChargeCurrent(self) -> float:
        return 50.0

    def getBatteryDischargeCurrent(self) -> float:
        return 0.0

    def getBatteryInstantWatts(self) -> float:
        return 0.0

    def getTemperature(self) -> float:
        return 35.0

    def getKEYStatus(self) -> int:
        return 0

    def enableADCs(self, enable: object) -> None:
        return None

    def enableCoulombCounter(self, enable: object) -> None:
        return None

    def setScreenBrightness(self, brightness: int) -> None:
        if not 0 <= as_int(brightness) <= 15:
            raise ValueError("range for brightness is from 0 to 15")

    def setK210Vcore(self, voltage: float) -> None:
        return None

    def setEnterSleepMode(self) -> None:
        self._board.clock.stop("the board went to sleep")
        self._board.clock.check()

    def setEnterChargingControl(self, enable: object, *_: object) -> None:
        return None

    def enablePMICSleepMode(self, enable: object) -> None:
        return None

    def writeREG(self, register: int, value: int) -> None:
        return None


@device_module("pmu")
class PmuModule:
    """The module of M5Stack's own images; Sipeed's have none, so another board's report says so."""

    def __init__(self, board: Board) -> None:
        if board.name != "m5stickv":
            board.warn("The module pmu is in M5Stack's firmware for the M5StickV only; other boards have no such chip.")
        self.axp192 = bound(axp192, board)


@device_module("audio")
class AudioModule:
    """The module: `Audio`, as in `Maix`."""

    def __init__(self, board: Board) -> None:
        self.Audio = board.module("Maix").Audio
