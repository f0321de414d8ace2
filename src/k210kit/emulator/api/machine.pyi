"""`machine` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from collections.abc import Callable
from typing import Any

HARD_RESET: int
PWRON_RESET: int
SOFT_RESET: int
WDT1_RESET: int
WDT_RESET: int

def reset() -> None: ...
def reset_cause() -> int: ...
def unique_id() -> bytes: ...

class I2C:
    I2C0: int
    I2C1: int
    I2C2: int
    I2C3: int
    I2C4: int
    I2C5: int
    I2C_EV_RESTART: int
    I2C_EV_START: int
    I2C_EV_STOP: int
    I2C_SOFT: int
    MODE_MASTER: int
    MODE_MASTER_SOFT: int
    MODE_SLAVE: int
    def __init__(
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
    ) -> None: ...
    def deinit(self) -> None: ...
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
    ) -> None: ...
    def readfrom(self, addr: int, len: int, stop: bool = True) -> bytes: ...
    def readfrom_into(self, addr: int, buf: Any, stop: bool = True) -> int: ...
    def readfrom_mem(self, addr: int, memaddr: int, nbytes: int, *, mem_size: int = 8) -> bytes: ...
    def readfrom_mem_into(self, addr: int, memaddr: int, buf: Any, *, mem_size: int = 8) -> int: ...
    def scan(self) -> list[int]: ...
    def writeto(self, addr: int, buf: Any, stop: bool = True) -> int: ...
    def writeto_mem(self, addr: int, memaddr: int, buf: Any, *, mem_size: int = 8) -> int: ...

class PWM:
    def __init__(self, tim: Timer, freq: Any = None, duty: Any = None, pin: int = -1, enable: bool = True) -> None: ...
    def deinit(self) -> None: ...
    def disable(self) -> None: ...
    def duty(self, duty: float = ...) -> float: ...
    def enable(self) -> None: ...
    def freq(self, freq: float = ...) -> int: ...
    def init(self, freq: Any = None, duty: Any = None, pin: int = -1, enable: bool = True) -> None: ...

class SDCard:
    def remount(self) -> bool: ...

class SPI:
    CS0: int
    CS1: int
    CS2: int
    CS3: int
    LSB: int
    MODE_MASTER: int
    MODE_MASTER_2: int
    MODE_MASTER_4: int
    MODE_MASTER_8: int
    MODE_SLAVE: int
    MSB: int
    SPI0: int
    SPI1: int
    SPI2: int
    SPI_SOFT: int
    def __init__(self, id: int = -1, **named: Any) -> None: ...
    def deinit(self) -> None: ...
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
    ) -> None: ...
    def read(self, nbytes: int, write: int = 0, cs: int = 0) -> bytes: ...
    def readinto(self, buf: Any, write: int = 0, cs: int = 0) -> None: ...
    def write(self, buf: Any, cs: int = 0) -> None: ...
    def write_readinto(self, write_buf: Any, read_buf: Any, cs: int = 0) -> None: ...

class Timer:
    CHANNEL0: int
    CHANNEL1: int
    CHANNEL2: int
    CHANNEL3: int
    MODE_ONE_SHOT: int
    MODE_PERIODIC: int
    MODE_PWM: int
    TIMER0: int
    TIMER1: int
    TIMER2: int
    UNIT_MS: int
    UNIT_NS: int
    UNIT_S: int
    UNIT_US: int
    def __init__(
        self,
        id: int,
        channel: int,
        *,
        mode: int = 0,
        period: int = 1000,
        unit: int = 2,
        callback: Callable[[Any], Any] | None = None,
        arg: Any = None,
        start: bool = True,
        priority: int = 1,
        div: int = 0,
    ) -> None: ...
    def callback(self, callback: Callable[[Any], Any] = ...) -> Callable[[Any], Any] | None: ...
    def callback_arg(self, arg: Any = ...) -> Any: ...
    def deinit(self) -> None: ...
    def init(
        self,
        *,
        mode: int = 0,
        period: int = 1000,
        unit: int = 2,
        callback: Callable[[Any], Any] | None = None,
        arg: Any = None,
        start: bool = True,
        priority: int = 1,
        div: int = 0,
    ) -> None: ...
    def period(self, period: int = ..., unit: int = ...) -> int: ...
    def restart(self) -> None: ...
    def start(self) -> None: ...
    def stop(self) -> None: ...

class UART:
    PARITY_EVEN: int
    PARITY_ODD: int
    UART1: int
    UART2: int
    UART3: int
    UARTHS: int
    def __init__(
        self,
        id: int,
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
    ) -> None: ...
    def any(self) -> int: ...
    def deinit(self) -> None: ...
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
    ) -> None: ...
    def read(self, size: int = -1) -> bytes | None: ...
    def readchar(self) -> int: ...
    def readinto(self, buffer: Any, size: int = -1) -> int | None: ...
    def readline(self) -> bytes | None: ...
    def repl_uart(self) -> UART: ...
    def set_repl_uart(self, uart: UART) -> None: ...
    def write(self, data: Any, *ignored: int) -> int: ...

class WDT:
    WDT_DEVICE_0: int
    WDT_DEVICE_1: int
    def __init__(self, id: int = 0, timeout: int = 5000, callback: Any = None, context: Any = None) -> None: ...
    def context(self, context: Any = ...) -> Any: ...
    def feed(self) -> None: ...
    def stop(self) -> None: ...
