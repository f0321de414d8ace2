"""The flash file system: what was written page by page comes out as files."""

from __future__ import annotations

import struct

from k210kit.inspection.spiffs import BLOCK, PAGE, file_contents, is_file_system, stored_files

BLOCKS = 24


def chip_area(files: dict[str, bytes]) -> bytes:
    """A SPIFFS image; pages lie backwards over the blocks, as a board that has worked for long leaves them."""
    out = bytearray(b"\xff" * BLOCKS * BLOCK)
    for block in range(BLOCKS):
        struct.pack_into("<H", out, block * BLOCK + PAGE - 4, (0x20140529 ^ PAGE ^ (BLOCKS - block)) & 0xFFFF)
    free = [(block, number) for block in reversed(range(BLOCKS)) for number in reversed(range(1, BLOCK // PAGE))]
    for number, (name, content) in enumerate(files.items(), 1):
        pages = [content[k : k + PAGE - 5] for k in range(0, len(content), PAGE - 5)]
        for place, data in enumerate(pages):
            _write(out, free.pop(0), number, place, 0xFC, data)
        head = struct.pack("<3xIB", len(content), 1) + name.encode() + b"\0"
        _write(out, free.pop(0), 0x8000 | number, 0, 0xF8, head)
    return bytes(out)


def _write(out: bytearray, where: tuple[int, int], entry: int, place: int, flags: int, data: bytes) -> None:
    block, number = where
    struct.pack_into("<H", out, block * BLOCK + 2 * (number - 1), entry)
    page = block * BLOCK + number * PAGE
    out[page : page + 5 + len(data)] = struct.pack("<HHB", entry, place, flags) + data


FILES = {"/boot.py": b"print(1)\n", "/empty": b"", "/long.bin": bytes(range(256)) * 700}


def test_files_of_many_pages_in_any_order_are_put_together() -> None:
    made = chip_area(FILES)
    assert is_file_system(made)
    assert {file.name: file.size for file in stored_files(made)} == {n: len(c) for n, c in FILES.items()}
    assert file_contents(made) == FILES


def test_a_file_with_a_page_missing_is_left_out() -> None:
    made = bytearray(chip_area(FILES))
    last = (BLOCKS - 1) * BLOCK
    table = [struct.unpack_from("<H", made, last + 2 * k)[0] for k in range(BLOCK // PAGE - 1)]
    struct.pack_into("<H", made, last + 2 * table.index(3), 0)
    assert file_contents(bytes(made)) == {n: c for n, c in FILES.items() if n != "/long.bin"}
