"""`machine`: serial ports, buses, timers, reset. Source: port/src/standard_lib/machine of MaixPy 0.6.2."""

from __future__ import annotations

import hashlib

from k210kit.emulator.board import Board
from k210kit.emulator.modules.bound import bound
from k210kit.emulator.modules.machine_bus import I2C, SPI
from k210kit.emulator.modules.machine_timer import PWM, WDT, SDCard, Timer
from k210kit.emulator.modules.machine_uart import UART
from k210kit.emulator.modules.table import device_module

__all__ = ["MachineModule"]


@device_module("machine")
class MachineModule:
    """The module."""

    PWRON_RESET, HARD_RESET, WDT_RESET, WDT1_RESET, SOFT_RESET = 0, 0, 2, 3, 4

    def __init__(self, board: Board) -> None:
        self._board = board
        self.UART = bound(UART, board)
        self.Timer = bound(Timer, board)
        self.PWM = bound(PWM, board)
        self.I2C = bound(I2C, board)
        self.SPI = bound(SPI, board)
        self.WDT = bound(WDT, board)
        self.SDCard = bound(SDCard, board)

    def reset(self) -> None:
        """Restart the board, which ends the run."""
        self._board.clock.stop("machine.reset()")
        self._board.clock.check()

    def reset_cause(self) -> int:
        return self.PWRON_RESET

    def unique_id(self) -> bytes:
        """32 bytes that differ from board to board; here from the board's name."""
        return hashlib.sha256(f"k210kit {self._board.name}".encode()).digest()
