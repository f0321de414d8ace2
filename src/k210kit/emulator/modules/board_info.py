"""`board`: `board_info`, the names of a product's pins. Source: port/builtin_py/board.py; config.json on the card."""

from __future__ import annotations

from typing import Any

from k210kit.emulator.board import Board
from k210kit.emulator.modules.table import device_module

__all__ = ["BoardModule"]

_BOOT_KEY = {"BOOT_KEY": 16}


class BoardInfo:
    """Pins by name, from `board_info` in /flash/config.json."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.load(values)

    def set(self, key: str, value: Any = None) -> None:
        """Any: what a script or a configuration keeps there."""
        setattr(self, key, value)

    def all(self) -> list[str]:
        return dir(self)

    def get(self) -> Any:
        """The firmware's own slip: it uses a name that it does not define."""
        raise NameError("name 'key' is not defined")

    def load(self, values: dict[str, Any]) -> None:
        for key, value in values.items():
            self.set(key, value)


@device_module("board", needs="board")
class BoardModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        values = board.module("Maix").config.get_value("board_info", None)
        if values is None:
            board.print("[Warning] Not loaded from /flash/config.json to board_info.\n")
            values = {**_BOOT_KEY, **PINS.get(board.name, {})}
        self.board_info = BoardInfo(values)


# Pins that each product's own documentation and config.json name
PINS: dict[str, dict[str, int]] = {
    "unitv": {"BUTTON_A": 18, "BUTTON_B": 19, "LED": 8, "CONNEXT_A": 35, "CONNEXT_B": 34},
    "m5stickv": {
        "BUTTON_A": 36, "BUTTON_B": 37, "LED_W": 7, "LED_R": 6, "LED_G": 9, "LED_B": 8, "LCD_BL": 12,
        "CONNEXT_A": 35, "CONNEXT_B": 34, "I2C_SDA": 29, "I2C_CLK": 28, "MIC_CLK": 10, "MIC_WS": 13, "MIC_DAT": 24,
        "SPK_LRCLK": 14, "SPK_BCLK": 15, "SPK_DIN": 17, "SPK_SD": 25, "MPU_SDA": 29, "MPU_SCL": 28,
    },
    "maixbit": {"LED_R": 13, "LED_G": 12, "LED_B": 14, "MIC0_WS": 19, "MIC0_DATA": 20, "MIC0_BCK": 18},
    "maixdock": {
        "LED_R": 13, "LED_G": 12, "LED_B": 14, "MIC0_WS": 30, "MIC0_DATA": 32, "MIC0_BCK": 31,
        "I2S_WS": 33, "I2S_DA": 34, "I2S_BCK": 35, "WIFI_TX": 6, "WIFI_RX": 7, "WIFI_EN": 8,
    },
    "maixgo": {
        "LED_R": 14, "LED_G": 13, "LED_B": 12, "MIC_ARRAY_BCK": 18, "MIC_ARRAY_WS": 19, "I2S_WS": 33, "I2S_DA": 34,
        "I2S_BCK": 35, "WIFI_TX": 6, "WIFI_RX": 7, "WIFI_EN": 8,
    },
    "maixduino": {"I2S_WS": 33, "I2S_DA": 34, "I2S_BCK": 35, "MIC0_WS": 30, "MIC0_DATA": 32, "MIC0_BCK": 31},
    "maixcube": {
        "LED_R": 14, "LED_G": 13, "LED_B": 12, "ENTER_KEY": 10, "BACK_KEY": 9, "NEXT_KEY": 11, "MIC0_WS": 30,
        "MIC0_DATA": 32, "MIC0_BCK": 31,
    },
}  # fmt: skip
