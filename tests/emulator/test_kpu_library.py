"""Codes, allocations and their order are those of MaixPy's library, as it was executed."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from k210kit.emulator.card import FlashChip
from k210kit.emulator.kpu_library import KpuError, KpuLibrary, UndefinedOnBoardError
from k210kit.emulator.system_memory import SystemBlock, SystemMemory
from k210kit.package.swap import swap_words
from tests.emulator.desk import Desk

Make = Callable[[bytes], bytes | None]
ADDRESS = 0x300000


def word(offset: int, value: int) -> Make:
    return lambda data: data[:offset] + struct.pack("<I", value) + data[offset + 4 :]


def last_body_size(value: int) -> Make:
    def change(data: bytes) -> bytes:
        layers, outputs = struct.unpack_from("<I", data, 12)[0], struct.unpack_from("<I", data, 24)[0]
        return word(28 + 8 * outputs + 8 * (layers - 1) + 4, value)(data)

    return change


CASES: dict[str, Make] = {
    "good mnist": lambda data: data,
    "file missing": lambda data: None,
    "empty file": lambda data: b"",
    "truncated to 1 bytes": lambda data: data[:1],
    "truncated to 7 bytes": lambda data: data[:7],
    "truncated to 1000 bytes": lambda data: data[:1000],
    "truncated to 208071 bytes": lambda data: data[:208071],
    "truncated to 4096 bytes (flash 0xFF after)": lambda data: data[:4096],
    **{f"version word {version}": word(0, int(version, 16)) for version in
       ["0x0", "0x1", "0x2", "0x4", "0x5", "0x6", "0xffffffff", "0x3000000"]},
    "nncase V4 header LDMK,4": lambda data: b"LDMK" + struct.pack("<I", 4) + bytes(1000),
    "V5 LDMK,5": lambda data: b"LDMK" + struct.pack("<I", 5) + bytes(1000),
    "arch word 1": word(8, 1),
    "outputs M=0 (table then misread)": word(24, 0),
    "main_mem 0": word(20, 0),
    "main_mem 7 MiB": word(20, 7 << 20),
    "swapped model given to kpu.load(addr)": swap_words,
    "swapped model given to kpu.load(file)": swap_words,
    "normal (little-endian) model given to load_flash": lambda data: data,
    "blank flash": lambda data: b"",
    "file of exactly 6 MiB": lambda data: data.ljust(6 << 20, b"\0"),
    "file of 6 MiB + 1": lambda data: data.ljust((6 << 20) + 1, b"\0"),
}  # fmt: skip


def rows(shared_cases: Path) -> list[dict[str, Any]]:  # Any: JSON
    return [row for row in json.loads(shared_cases.read_text(encoding="utf-8")) if row["case"] in CASES]


class Recorded(SystemMemory):
    """A heap that keeps what was asked of it, as the record writes it: M8 F8, `!` for a malloc that failed."""

    log: list[str]

    def allocate(self, size: int, what: str = "") -> SystemBlock | None:
        block = super().allocate(size, what)
        self.log.append(f"M{size}" + ("" if block is not None else "!"))
        return block

    def release(self, block: SystemBlock) -> None:
        self.log.append(f"F{block.size}")
        super().release(block)


def attempt(desk: Desk, row: dict[str, Any], data: bytes | None) -> tuple[int, str, str]:
    """Load as the row says: (code, mallocs, what was printed)."""
    chip = FlashChip()
    little = row["case"].startswith(("normal", "swapped", "blank"))
    if data:
        chip.write(ADDRESS, data if "flash" not in row["path"] or little else swap_words(data))
    desk.run("", firmware="minimum_with_ide", flash=chip)
    board, printed = desk.board, []
    board.print = printed.append  # type: ignore[method-assign]
    board.heap.__class__ = Recorded
    board.heap.log = []  # type: ignore[attr-defined]
    library, code = KpuLibrary(board), 0
    path = desk.flash / "m.kmodel"
    path.unlink(missing_ok=True)
    if data is not None:
        path.write_bytes(data)
    try:
        if row["path"] == "kpu.load(path)":
            library.load_path("/flash/m.kmodel")
        elif row["path"] == "kpu.load(addr)":
            library.load_address(ADDRESS)
        else:
            library.load_flash(ADDRESS, "dual" in row["path"], 0xC000, 60_000_000)
    except KpuError as failure:
        code = failure.code
    return code, " ".join(board.heap.log), "".join(printed)  # type: ignore[attr-defined]


def test_load_gives_the_recorded_codes_and_allocations(desk: Desk, shared: Path) -> None:
    model = (shared / "golden" / "real" / "mnist.kmodel").read_bytes()
    tried = 0
    for row in rows(shared / "facts" / "maixpy-load-errors.json"):
        if not isinstance(row["load"], int):
            continue
        code, mallocs, printed = attempt(desk, row, CASES[row["case"]](model))
        assert (row["case"], row["path"], code) == (row["case"], row["path"], row["load"])
        assert (row["case"], row["path"], mallocs) == (row["case"], row["path"], row["mallocs"])
        assert bool(printed) == bool(row["printed"]), row["case"]
        tried += 1
    assert tried >= 60


def test_only_five_models_fit_at_once(desk: Desk, shared: Path) -> None:
    (desk.flash / "m.kmodel").write_bytes((shared / "golden" / "real" / "iris.kmodel").read_bytes())
    load = "import KPU as kpu\nkept = [kpu.load('/flash/m.kmodel') for i in range(5)]\n"
    desk.prints(load)
    line = desk.fails(load + "kpu.load('/flash/m.kmodel')")
    assert (
        line
        == "ValueError: [MAIXPY]kpu: load error:2009, ERR_MODELS_FULL: we only support load 5 models in the same time"
    )


def test_a_damaged_model_is_refused_where_a_board_would_use_foreign_memory(desk: Desk, shared: Path) -> None:
    data = (shared / "golden" / "real" / "mnist.kmodel").read_bytes()
    (desk.flash / "m.kmodel").write_bytes(data[:1000])
    desk.run("", firmware="full")
    library = KpuLibrary(desk.board)
    model = library.load_path("/flash/m.kmodel")
    with pytest.raises(UndefinedOnBoardError, match="The model at hand is damaged"):
        library.run(model, model.kmodel, dma=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("batch", [0, 0x400000])
def test_batch_sizes_that_overrun_are_refused(desk: Desk, shared: Path, batch: int) -> None:
    chip = FlashChip()
    chip.write(ADDRESS, swap_words((shared / "golden" / "real" / "face_detect.kmodel").read_bytes()))
    line = desk.fails(f"import KPU\nKPU.load_flash(0x300000, 1, {batch}, 60000000)", flash=chip)
    assert line.startswith("UndefinedOnBoardError: ")
