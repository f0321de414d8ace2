"""`Maix` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from collections.abc import Callable
from typing import Any

config: Config
freq: Freq
utils: Utils

class Audio:
    def __init__(
        self,
        array: Any = None,
        path: Any = None,
        *,
        points: int = 2048,
        is_create: bool = False,
        samplerate: int = 44100,
    ) -> None: ...
    def __deinit__(self) -> None: ...
    def finish(self) -> None: ...
    def play(self) -> int | None: ...
    def play_process(self, dev: Any) -> Any: ...
    def record(self, audio: Audio) -> None: ...
    def record_process(self, dev: Any = None, channels: int = 1) -> bool: ...
    def to_bytes(self) -> bytearray: ...
    def volume(self, volume: float = ...) -> float: ...

class FFT:
    def amplitude(self, values: Any) -> list[int]: ...
    def freq(self, points: int = 64, sample_rate: int = 16000) -> list[int]: ...
    def run(self, byte: Any = None, points: int = 64, shift: int = 0, direction: int = 0) -> list[tuple[int, int]]: ...

class FPIOA:
    CLK_I2C1: int
    CLK_I2C2: int
    CLK_SPI1: int
    CLK_SPI2: int
    CMOS_D0: int
    CMOS_D1: int
    CMOS_D2: int
    CMOS_D3: int
    CMOS_D4: int
    CMOS_D5: int
    CMOS_D6: int
    CMOS_D7: int
    CMOS_HREF: int
    CMOS_PCLK: int
    CMOS_PWDN: int
    CMOS_RST: int
    CMOS_VSYNC: int
    CMOS_XCLK: int
    GPIO0: int
    GPIO1: int
    GPIO2: int
    GPIO3: int
    GPIO4: int
    GPIO5: int
    GPIO6: int
    GPIO7: int
    GPIOHS0: int
    GPIOHS1: int
    GPIOHS10: int
    GPIOHS11: int
    GPIOHS12: int
    GPIOHS13: int
    GPIOHS14: int
    GPIOHS15: int
    GPIOHS16: int
    GPIOHS17: int
    GPIOHS18: int
    GPIOHS19: int
    GPIOHS2: int
    GPIOHS20: int
    GPIOHS21: int
    GPIOHS22: int
    GPIOHS23: int
    GPIOHS24: int
    GPIOHS25: int
    GPIOHS26: int
    GPIOHS27: int
    GPIOHS28: int
    GPIOHS29: int
    GPIOHS3: int
    GPIOHS30: int
    GPIOHS31: int
    GPIOHS4: int
    GPIOHS5: int
    GPIOHS6: int
    GPIOHS7: int
    GPIOHS8: int
    GPIOHS9: int
    I2C0_SCLK: int
    I2C0_SDA: int
    I2C1_SCLK: int
    I2C1_SDA: int
    I2C2_SCLK: int
    I2C2_SDA: int
    I2S0_IN_D0: int
    I2S0_IN_D1: int
    I2S0_IN_D2: int
    I2S0_IN_D3: int
    I2S0_MCLK: int
    I2S0_OUT_D0: int
    I2S0_OUT_D1: int
    I2S0_OUT_D2: int
    I2S0_OUT_D3: int
    I2S0_SCLK: int
    I2S0_WS: int
    I2S1_IN_D0: int
    I2S1_IN_D1: int
    I2S1_IN_D2: int
    I2S1_IN_D3: int
    I2S1_MCLK: int
    I2S1_OUT_D0: int
    I2S1_OUT_D1: int
    I2S1_OUT_D2: int
    I2S1_OUT_D3: int
    I2S1_SCLK: int
    I2S1_WS: int
    I2S2_IN_D0: int
    I2S2_IN_D1: int
    I2S2_IN_D2: int
    I2S2_IN_D3: int
    I2S2_MCLK: int
    I2S2_OUT_D0: int
    I2S2_OUT_D1: int
    I2S2_OUT_D2: int
    I2S2_OUT_D3: int
    I2S2_SCLK: int
    I2S2_WS: int
    JTAG_TCLK: int
    JTAG_TDI: int
    JTAG_TDO: int
    JTAG_TMS: int
    RESV0: int
    RESV1: int
    RESV2: int
    RESV3: int
    RESV4: int
    RESV5: int
    RESV6: int
    RESV7: int
    SCCB_SCLK: int
    SCCB_SDA: int
    SPI0_ARB: int
    SPI0_D0: int
    SPI0_D1: int
    SPI0_D2: int
    SPI0_D3: int
    SPI0_D4: int
    SPI0_D5: int
    SPI0_D6: int
    SPI0_D7: int
    SPI0_SCLK: int
    SPI0_SS0: int
    SPI0_SS1: int
    SPI0_SS2: int
    SPI0_SS3: int
    SPI1_ARB: int
    SPI1_D0: int
    SPI1_D1: int
    SPI1_D2: int
    SPI1_D3: int
    SPI1_D4: int
    SPI1_D5: int
    SPI1_D6: int
    SPI1_D7: int
    SPI1_SCLK: int
    SPI1_SS0: int
    SPI1_SS1: int
    SPI1_SS2: int
    SPI1_SS3: int
    SPI_SLAVE_D0: int
    SPI_SLAVE_SCLK: int
    SPI_SLAVE_SS: int
    TIMER0_TOGGLE1: int
    TIMER0_TOGGLE2: int
    TIMER0_TOGGLE3: int
    TIMER0_TOGGLE4: int
    TIMER1_TOGGLE1: int
    TIMER1_TOGGLE2: int
    TIMER1_TOGGLE3: int
    TIMER1_TOGGLE4: int
    TIMER2_TOGGLE1: int
    TIMER2_TOGGLE2: int
    TIMER2_TOGGLE3: int
    TIMER2_TOGGLE4: int
    UART1_BAUD: int
    UART1_CTS: int
    UART1_DCD: int
    UART1_DE: int
    UART1_DSR: int
    UART1_DTR: int
    UART1_OUT1: int
    UART1_OUT2: int
    UART1_RE: int
    UART1_RI: int
    UART1_RS485_EN: int
    UART1_RTS: int
    UART1_RX: int
    UART1_SIR_IN: int
    UART1_SIR_OUT: int
    UART1_TX: int
    UART2_BAUD: int
    UART2_CTS: int
    UART2_DCD: int
    UART2_DE: int
    UART2_DSR: int
    UART2_DTR: int
    UART2_OUT1: int
    UART2_OUT2: int
    UART2_RE: int
    UART2_RI: int
    UART2_RS485_EN: int
    UART2_RTS: int
    UART2_RX: int
    UART2_SIR_IN: int
    UART2_SIR_OUT: int
    UART2_TX: int
    UART3_BAUD: int
    UART3_CTS: int
    UART3_DCD: int
    UART3_DE: int
    UART3_DSR: int
    UART3_DTR: int
    UART3_OUT1: int
    UART3_OUT2: int
    UART3_RE: int
    UART3_RI: int
    UART3_RS485_EN: int
    UART3_RTS: int
    UART3_RX: int
    UART3_SIR_IN: int
    UART3_SIR_OUT: int
    UART3_TX: int
    UARTHS_RX: int
    UARTHS_TX: int
    def get_Pin_num(self, func: int = 0) -> int | None: ...
    def help(self, func: int = 204) -> bool | None: ...
    def set_function(
        self, pin: int = 0, func: int = 0, set_sl: int = -1, set_st: int = -1, set_io_driving: int = -1
    ) -> bool: ...

class GPIO:
    GPIO0: int
    GPIO1: int
    GPIO2: int
    GPIO3: int
    GPIO4: int
    GPIO5: int
    GPIO6: int
    GPIO7: int
    GPIOHS0: int
    GPIOHS1: int
    GPIOHS10: int
    GPIOHS11: int
    GPIOHS12: int
    GPIOHS13: int
    GPIOHS14: int
    GPIOHS15: int
    GPIOHS16: int
    GPIOHS17: int
    GPIOHS18: int
    GPIOHS19: int
    GPIOHS2: int
    GPIOHS20: int
    GPIOHS21: int
    GPIOHS22: int
    GPIOHS23: int
    GPIOHS24: int
    GPIOHS25: int
    GPIOHS26: int
    GPIOHS27: int
    GPIOHS28: int
    GPIOHS29: int
    GPIOHS3: int
    GPIOHS30: int
    GPIOHS31: int
    GPIOHS4: int
    GPIOHS5: int
    GPIOHS6: int
    GPIOHS7: int
    GPIOHS8: int
    GPIOHS9: int
    IN: int
    IRQ_BOTH: int
    IRQ_FALLING: int
    IRQ_NONE: int
    IRQ_RISING: int
    OUT: int
    PULL_DOWN: int
    PULL_NONE: int
    PULL_UP: int
    WAKEUP_NOT_SUPPORT: int
    def __init__(self, id: int, mode: int | None = None, pull: int | None = None, value: Any = None) -> None: ...
    def __call__(self, value: int = ...) -> int | None: ...
    def disirq(self) -> None: ...
    def init(self, mode: int | None = None, pull: int | None = None, *, value: Any = None) -> None: ...
    def irq(
        self, handler: Callable[[Any], Any] | None = None, trigger: int = 3, wake: Any = None, priority: int = 7
    ) -> Any: ...
    def mode(self, mode: int = -1) -> int | None: ...
    def value(self, value: int = ...) -> int | None: ...

class I2S:
    CHANNEL_0: int
    CHANNEL_1: int
    CHANNEL_2: int
    CHANNEL_3: int
    DEVICE_0: int
    DEVICE_1: int
    DEVICE_2: int
    IGNORE_WORD_LENGTH: int
    LEFT_JUSTIFYING_MODE: int
    RECEIVER: int
    RESOLUTION_12_BIT: int
    RESOLUTION_16_BIT: int
    RESOLUTION_20_BIT: int
    RESOLUTION_24_BIT: int
    RESOLUTION_32_BIT: int
    RIGHT_JUSTIFYING_MODE: int
    SCLK_CYCLES_16: int
    SCLK_CYCLES_24: int
    SCLK_CYCLES_32: int
    STANDARD_MODE: int
    TRANSMITTER: int
    def __init__(self, id: int, *, sample_points: int = 1024, pll2: int = 0, mclk: int = 0) -> None: ...
    def channel_config(
        self, channel: int = 0, mode: int = 1, *, resolution: int = 2, cycles: int = 2, align_mode: int = 1
    ) -> bool: ...
    def init(self, *, sample_points: int = 1024, pll2: int = 0, mclk: int = 0) -> None: ...
    def play(self, audio: Audio) -> None: ...
    def record(self, points: int = 0, *, time: int = 0) -> Audio: ...
    def set_sample_rate(self, sample_rate: int) -> bool: ...
    def __deinit__(self) -> None: ...
    def wait_record(self) -> None: ...

class MIC_ARRAY:
    def deinit(self) -> None: ...
    def get_dir(self, picture: Any) -> tuple[int, ...]: ...
    def get_map(self) -> Any: ...
    def init(self, *pins: int, **named: int) -> None: ...
    def set_led(self, direction: Any, color: Any) -> None: ...

class Config:
    def get_value(self, key: Any, default: Any) -> Any: ...

class Freq:
    def get(self) -> tuple[int, int]: ...
    def get_cpu(self) -> int: ...
    def get_kpu(self) -> int: ...
    def set(self, cpu: int = 0, pll1: int = 0, kpu_div: int = 0) -> None: ...

class Utils:
    def flash_read(self, address: int, length: int) -> bytes: ...
    def gc_heap_size(self, size: int = ...) -> int | None: ...
    def heap_free(self) -> int: ...
