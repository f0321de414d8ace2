from __future__ import annotations

import types
from pathlib import Path

import pytest

from k210kit.device import stub
from k210kit.errors import DeviceError, MissingExtraError


@pytest.fixture(autouse=True)
def _fresh() -> None:
    stub.flash_program.cache_clear()


def test_the_flash_program_comes_from_the_installed_kflash() -> None:
    pytest.importorskip("kflash")
    program = stub.flash_program()
    assert program[2:6] == b"\xef\xbe\xad\xde"
    assert 10_000 < len(program) < 100_000


def test_without_kflash_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'k210kit\[device\]'"):
        stub.flash_program()


@pytest.mark.parametrize("source", ["", "ISP_PROG = 'zz'", "ISP_PROG = '00'", "x = 3"])
def test_another_kflash_is_told(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kflash.py").write_text(source)
    found = types.SimpleNamespace(origin=str(tmp_path / "kflash.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: found)
    with pytest.raises(DeviceError, match=r"holds no flash program where version 1.1.6 has it"):
        stub.flash_program()
