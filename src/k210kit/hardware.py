"""The K210 in numbers, each with its source.

SDK: kendryte-standalone-sdk `lib/drivers/kpu.c` and `kendryte.ld`; N19: nncase 1.9 `k210` kernels; KDS: the K210 data
sheet of Kendryte (2018); MP: MaixPy-v1.
"""

from __future__ import annotations

__all__ = [
    "FILE_SYSTEM_ADDRESS",
    "FILE_SYSTEM_BYTES",
    "FIRST_MODEL_ADDRESS",
    "FLASH_BYTES",
    "FLASH_SECTOR_BYTES",
    "GENERAL_MEMORY_BYTES",
    "GENERAL_MEMORY_END",
    "GENERAL_MEMORY_START",
    "KPU_LINES",
    "KPU_LINE_BYTES",
    "KPU_MEMORY_BYTES",
    "LOAD_FLASH_FIRST_LAYER_BYTES",
    "LOAD_FLASH_HEADER_BYTES",
    "MOST_CHANNELS",
    "MOST_HEIGHT",
    "MOST_WIDTH",
    "PROGRAM_DIGEST_BYTES",
    "PROGRAM_HEAD_BYTES",
    "PROGRAM_MARK",
    "PROGRAM_MARK_AT",
    "PROGRAM_MARK_PLACES",
    "SEGMENTS",
    "WEIGHT_BYTES_PER_LOAD",
]

KPU_LINE_BYTES = 64  # the unit of KPU memory addresses; SDK
KPU_MEMORY_BYTES = 2 * 1024 * 1024  # KDS: 2 MiB of AI SRAM
KPU_LINES = KPU_MEMORY_BYTES // KPU_LINE_BYTES
MOST_CHANNELS = 1024  # i_ch_num and o_ch_num are 10-bit registers that hold the count less one; SDK
MOST_WIDTH = 512  # N19; the register would hold 1024
MOST_HEIGHT = 256  # N19; the register would hold 512
SEGMENTS = 16  # of the activation table; SDK
WEIGHT_BYTES_PER_LOAD = 30 * 1024  # what the vendor's compiler lets one weight load hold, 8-bit weights

GENERAL_MEMORY_START = 0x8000_0000  # cached view of the general SRAM; kendryte.ld
GENERAL_MEMORY_BYTES = 6 * 1024 * 1024  # KDS: 6 MiB of general SRAM
GENERAL_MEMORY_END = GENERAL_MEMORY_START + GENERAL_MEMORY_BYTES

FLASH_BYTES = 16 * 1024 * 1024  # the SPI NOR flash on every K210 board that is known (W25Q128 and alike)
LOAD_FLASH_HEADER_BYTES = 4096  # kpu.load_flash reads them once: header, layer table, first layer's registers
LOAD_FLASH_FIRST_LAYER_BYTES = 96
FLASH_SECTOR_BYTES = 4096  # the least that can be erased
FIRST_MODEL_ADDRESS = 0x300000  # where models go by custom; MP examples
FILE_SYSTEM_ADDRESS = 0xD00000  # MaixPy's SPIFFS; MP components/spiffs/Kconfig
FILE_SYSTEM_BYTES = 0x300000
PROGRAM_MARK = bytes.fromhex("efbeadde")  # 0xDEADBEEF behind the jump with which the SDK's start code begins
PROGRAM_MARK_AT = 2
PROGRAM_MARK_PLACES = (PROGRAM_MARK_AT, 4)  # at 4 where the jump has four bytes, as in LoBo's MicroPython
PROGRAM_HEAD_BYTES = 5  # flag and length that the boot ROM wants before a program in the flash; kflash 1.1.6
PROGRAM_DIGEST_BYTES = 32  # and the SHA-256 behind it
