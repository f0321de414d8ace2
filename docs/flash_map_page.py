"""The reference page of the flash: what lies where, and which board is reset how."""

from __future__ import annotations

from k210kit.device import BOARDS
from k210kit.package import (
    FILE_SYSTEM_ADDRESS,
    FILE_SYSTEM_BYTES,
    FIRST_MODEL_ADDRESS,
    FLASH_BYTES,
    SECTOR_BYTES,
)

__all__ = ["page"]

_FILES_END = FILE_SYSTEM_ADDRESS + FILE_SYSTEM_BYTES
_HEAD = f"""# The flash and the boards

## What lies where

A board's flash chip has {FLASH_BYTES:,} bytes (0x{FLASH_BYTES:X}). It is erased in sectors of {SECTOR_BYTES:,} bytes,
so everything starts at a multiple of 0x{SECTOR_BYTES:X}.

| from | to | what |
|---|---|---|
| 0x000000 | 0x{FIRST_MODEL_ADDRESS - 1:06X} at most | the program (MaixPy), in the boot ROM's wrapping |
| 0x{FIRST_MODEL_ADDRESS:06X} | 0x{FILE_SYSTEM_ADDRESS - 1:06X} | models and other data, wherever they do not overlap |
| 0x{FILE_SYSTEM_ADDRESS:06X} | 0x{_FILES_END - 1:06X} | MaixPy's file system, `/flash`: `boot.py`, `main.py` |

0x{FIRST_MODEL_ADDRESS:X} for the first model is a custom, not a rule: any free multiple of 0x{SECTOR_BYTES:X} will do.
A firmware other than MaixPy may keep no files at 0x{FILE_SYSTEM_ADDRESS:X}; say `--no-file-system` then.

`k210kit pack` and `k210kit flash` refuse what overlaps, is off the grid, reaches past the chip or into the file system.

## The program at address 0

| bytes | what |
|---|---|
| 1 | flags: bit 0, the program is encrypted with AES-128; bit 1, read it over two lines (`--io-mode dio`) |
| 4 | length of the program, little-endian |
| length | the program, the `.bin` |
| 32 | SHA-256 of all before |

A package says by `sha256Prefix` that a file is to be wrapped so.

## Packages

A `.kfpkg` is a zip with `flash-list.json` and the files that it names:

```json
{{
  "version": "0.1.0",
  "files": [
    {{"address": 0, "bin": "maixpy.bin", "sha256Prefix": true}},
    {{"address": 3145728, "bin": "model.kmodel", "sha256Prefix": false}}
  ]
}}
```

Addresses are read as decimal numbers, as bare `0x` numbers (common, though no JSON) and as text. `reverse4Bytes`,
known to the Windows K-Flash tool, is understood. Refused with one message: a name twice, names that leave the
folder, symbolic links, encryption, compressions other than stored and deflated, zip64, more than {FLASH_BYTES:,}
bytes in all.

## Models for `kpu.load_flash`

`kpu.load_flash` reads a model whose every 32-bit word is reversed; `kpu.load` of an address reads one that is not.
`k210kit swap` makes one from the other. A size that is no multiple of four is filled with ASCII `0`, as MaixPy does.

## Boards

`--board` takes these names; without it all ways of resetting are tried. "Sure" says whether the way of resetting is
known from the programs that flash this board, or concluded from others of the same make.

| name | board | USB chip (vendor:product) | resets like | sure | if it does not answer |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page as Markdown."""
    rows = []
    for one in BOARDS:
        usb = ", ".join(f"{vendor:04X}:{product:04X}" for vendor, product in one.usb)
        sure = "yes" if one.proven else "no"
        rows.append(f"| `{one.name}` | {one.title} | {usb} | {one.sequence} | {sure} | {one.by_hand} |\n")
    return _HEAD + "".join(rows)
