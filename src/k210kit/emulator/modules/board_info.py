"""`board`: `board_info`, the names of a product's pins. Source: port/builtin_py/board.py; config.json on the card."""

from __future__ import annotations

from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.modules.table import device_module

__all__ = ["BoardModule"]

_BOOT_KEY = {"BOOT_KEY": 16}


def board_info_class(values: dict[str, Any]) -> type:
    """The class `board_info`: its functions take no `self`, and `board_info()` makes an instance that has the pins too.

    `values`: pins by name, from `board_info` in /flash/config.json (Any: what a configuration keeps there).
    """

    def set(key: str, value: Any = None) -> None:
        setattr(made, key, value)

    def all() -> list[str]:
        return dir(made)

    def get() -> Any:
        """The firmware's own slip: it uses a name that it does not define."""
        raise NameError("name 'key' isn't defined")

    def load(values: dict[str, Any] | None = None) -> None:
        for key, value in (values or {}).items():
            set(key, value)

    made = type("board_info", (), {"set": set, "all": all, "get": get, "load": load})
    load(values)
    return made


@device_module("board", needs="board")
class BoardModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        values = board.module("Maix").config.get_value("board_info", None)
        if values is None:
            board.print("[Warning] Not loaded from /flash/config.json to board_info.\n")
            values = _pins_of(board.name)
        self.board_info = board_info_class(values)


# Pins by product: the `board_info` of Sipeed's config.json files; M5Stack's from the products' own pages.
PINS: dict[str, dict[str, Any]] = {  # Any: a number, or Maixduino's list D
    "unitv": {"BUTTON_A": 18, "BUTTON_B": 19, "LED": 8, "CONNEXT_A": 35, "CONNEXT_B": 34},
    "m5stickv": {
        "BUTTON_A": 36, "BUTTON_B": 37, "LED_W": 7, "LED_R": 6, "LED_G": 9, "LED_B": 8, "LCD_BL": 12,
        "CONNEXT_A": 35, "CONNEXT_B": 34, "I2C_SDA": 29, "I2C_CLK": 28, "MIC_CLK": 10, "MIC_WS": 13,
        "MIC_LRCLK": 13, "MIC_DAT": 24, "SPK_LRCLK": 14, "SPK_BCLK": 15, "SPK_DIN": 17, "SPK_SD": 25,
        "MPU_SDA": 29, "MPU_SCL": 28,
    },
    "maixgo": {
        "LED_R": 14, "LED_G": 12, "LED_B": 13, "WIFI_TX": 6, "WIFI_RX": 7, "WIFI_EN": 8, "MIC0_WS": 19,
        "MIC0_DATA": 20, "MIC0_BCK": 18, "I2S_WS": 33, "I2S_DA": 34, "I2S_BCK": 35,
    },
    "maixbit": {"LED_R": 13, "LED_G": 12, "LED_B": 14, "MIC0_WS": 19, "MIC0_DATA": 20, "MIC0_BCK": 18},
    "maixdock": {
        "LED_R": 14, "LED_G": 13, "LED_B": 12, "WIFI_TX": 6, "WIFI_RX": 7, "WIFI_EN": 8, "MIC0_WS": 30,
        "MIC0_DATA": 20, "MIC0_BCK": 32, "I2S_WS": 33, "I2S_DA": 34, "I2S_BCK": 35,
    },
    "maixcube": {
        "LED_R": 13, "LED_G": 12, "LED_B": 14, "LED_W": 32, "BACK": 11, "ENTER": 10, "NEXT": 16, "I2S0_MCLK": 19,
        "I2S0_SCLK": 35, "I2S0_WS": 33, "I2S0_IN_D0": 34, "I2S0_OUT_D2": 18, "I2C_SDA": 31, "I2C_SCL": 30,
        "SPI_SCLK": 21, "SPI_MOSI": 8, "SPI_MISO": 15, "SPI_CS": 20,
    },
    "maixduino": {
        "LED_R": 13, "LED_G": 12, "LED_B": 14, "ESP32_CS": 25, "ESP32_RST": 8, "ESP32_RDY": 9, "ESP32_MOSI": 28,
        "ESP32_MISO": 26, "ESP32_SCLK": 27, "PIN0": 4, "PIN1": 5, "PIN2": 21, "PIN3": 22, "PIN4": 23, "PIN5": 24,
        "PIN6": 32, "PIN7": 15, "PIN8": 14, "PIN9": 13, "PIN10": 12, "PIN11": 11, "PIN12": 10, "PIN13": 3,
        "D": [4, 5, 21, 22, 23, 24, 32, 15, 14, 13, 12, 11, 10, 3],
    },
}  # fmt: skip


def _pins_of(name: str) -> dict[str, Any]:
    """The product's own pins, and for names that it lacks another product's, so that scripts for those run too."""
    made = dict(_BOOT_KEY)
    for pins in reversed(PINS.values()):
        made.update(pins)
    return {**made, **PINS.get(name, {})}
