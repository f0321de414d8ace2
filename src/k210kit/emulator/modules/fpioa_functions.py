"""The numbers of the pin multiplexer's functions, in order. Source: kendryte SDK fpioa.h, Maix_fpioa.c."""

from __future__ import annotations

__all__ = ["FUNCTIONS", "GPIO0", "GPIOHS0", "RESV0"]


def _spi(n: int) -> list[str]:
    return [*(f"SPI{n}_D{i}" for i in range(8)), *(f"SPI{n}_SS{i}" for i in range(4)), f"SPI{n}_ARB", f"SPI{n}_SCLK"]


def _i2s(n: int) -> list[str]:
    wires = [f"I2S{n}_{name}" for name in ("MCLK", "SCLK", "WS")]
    return [*wires, *(f"I2S{n}_IN_D{i}" for i in range(4)), *(f"I2S{n}_OUT_D{i}" for i in range(4))]


_MODEM = "CTS DSR DCD RI SIR_IN DTR RTS OUT2 OUT1 SIR_OUT BAUD RE DE RS485_EN"

FUNCTIONS: tuple[str, ...] = (
    "JTAG_TCLK", "JTAG_TDI", "JTAG_TMS", "JTAG_TDO", *_spi(0), "UARTHS_RX", "UARTHS_TX", "RESV6", "RESV7",
    "CLK_SPI1", "CLK_I2C1", *(f"GPIOHS{i}" for i in range(32)), *(f"GPIO{i}" for i in range(8)),
    *(f"UART{n}_{wire}" for n in (1, 2, 3) for wire in ("RX", "TX")), *_spi(1),
    "SPI_SLAVE_D0", "SPI_SLAVE_SS", "SPI_SLAVE_SCLK", *_i2s(0), *_i2s(1), *_i2s(2), *(f"RESV{i}" for i in range(6)),
    *(f"I2C{n}_{wire}" for n in range(3) for wire in ("SCLK", "SDA")),
    "CMOS_XCLK", "CMOS_RST", "CMOS_PWDN", "CMOS_VSYNC", "CMOS_HREF", "CMOS_PCLK", *(f"CMOS_D{i}" for i in range(8)),
    "SCCB_SCLK", "SCCB_SDA", *(f"UART{n}_{wire}" for n in (1, 2, 3) for wire in _MODEM.split()),
    *(f"TIMER{n}_TOGGLE{i}" for n in range(3) for i in (1, 2, 3, 4)),
    "CLK_SPI2", "CLK_I2C2",
)  # fmt: skip
GPIOHS0 = FUNCTIONS.index("GPIOHS0")
GPIO0 = FUNCTIONS.index("GPIO0")
RESV0 = FUNCTIONS.index("RESV0")
