"""Boards on a serial port: flashing, the REPL, and a pretend board to try both on."""

from __future__ import annotations

from .boards import BOARDS, Board, board
from .flash_chip import FlashChip
from .flasher import DEFAULT_BAUD, Flashed, FlashOptions, SystemPorts, Unfinished, flash
from .image_file import VIRTUAL_PREFIX, flash_image, parse_faults
from .plan import FlashFile, FlashPlan, plan_flash, read_files
from .serial_port import FoundPort, Port, PortLost, find_ports, open_port
from .stub import flash_program
from .virtual import Faults, PtyBoard, VirtualPort, VirtualSource

__all__ = [
    "BOARDS",
    "DEFAULT_BAUD",
    "VIRTUAL_PREFIX",
    "Board",
    "Faults",
    "FlashChip",
    "FlashFile",
    "FlashOptions",
    "FlashPlan",
    "Flashed",
    "FoundPort",
    "Port",
    "PortLost",
    "PtyBoard",
    "SystemPorts",
    "Unfinished",
    "VirtualPort",
    "VirtualSource",
    "board",
    "find_ports",
    "flash",
    "flash_image",
    "flash_program",
    "open_port",
    "parse_faults",
    "plan_flash",
    "read_files",
]
