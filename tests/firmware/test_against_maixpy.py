"""The table of options against the Kconfig files of a real MaixPy-v1 checkout, named by MAIXPY_CHECKOUT."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kconfiglib
import pytest

from k210kit.firmware.config import configuration_text, resolve_settings
from k210kit.firmware.options import CHOICES, OPTIONS, PREFIX
from k210kit.firmware.presets import preset_settings
from k210kit.firmware.variants import VARIANTS, settings_of

_KINDS = {kconfiglib.BOOL: "bool", kconfiglib.INT: "int", kconfiglib.HEX: "hex", kconfiglib.STRING: "string"}
_LINE = re.compile(rf"^#define {PREFIX}(\w+) (.*)$", re.MULTILINE)
RANDOM_CONFIGURATIONS = 200


if "MAIXPY_CHECKOUT" not in os.environ:
    pytest.skip("MAIXPY_CHECKOUT does not name a folder of MaixPy-v1", allow_module_level=True)


@pytest.fixture(scope="module")
def checkout() -> Path:
    return Path(os.environ["MAIXPY_CHECKOUT"]).resolve()


def real(checkout: Path, project: str = "maixpy_k210") -> Any:  # Any: kconfiglib has no types
    os.environ["SDK_PATH"] = str(checkout)
    os.environ["PROJECT_PATH"] = str(checkout / "projects" / project)
    return kconfiglib.Kconfig(str(checkout / "Kconfig"), warn_to_stderr=False)


def resolved_by_maixpy(checkout: Path, file: Path, project: str) -> dict[str, str]:
    made = real(checkout, project)
    made.load_config(str(file), replace=False)
    return {symbol.name: symbol.str_value for symbol in made.unique_defined_syms}


def differing(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Options with different values; an option that a dependency takes away is "n" to one and "" to the other."""
    known = {row.key for row in OPTIONS}
    return {
        key: (ours.get(key, "-"), theirs.get(key, "-"))
        for key in known | set(theirs)
        if {ours.get(key, "-"), theirs.get(key, "-")} not in ({ours.get(key)}, {"", "n"})
    }


def test_the_table_has_every_option_and_no_other(checkout: Path) -> None:
    assert {row.key for row in OPTIONS} == {symbol.name for symbol in real(checkout).unique_defined_syms}


def test_types_ranges_selects_and_choices_are_maixpys(checkout: Path) -> None:
    symbols = real(checkout).syms
    for row in OPTIONS:
        symbol = symbols[row.key]
        assert _KINDS[symbol.orig_type] == row.kind, row.key
        limits = [(int(low.str_value, 0), int(high.str_value, 0)) for low, high, _ in symbol.ranges]
        assert limits == ([(row.low, row.high)] if row.low is not None else []), row.key
        assert {target.name for target, _ in symbol.selects} == set(row.selects), row.key
        assert bool(symbol.choice) == bool(row.choice), row.key
    assert len(real(checkout).unique_choices) == len(CHOICES)


def test_an_empty_file_gives_the_same_defaults(checkout: Path, tmp_path: Path) -> None:
    for text in ("", f"{PREFIX}COMPONENT_MICROPYTHON_ENABLE=y\n"):
        file = tmp_path / "config.mk"
        file.write_text(text)
        assert differing(resolve_settings(text).settings, resolved_by_maixpy(checkout, file, "maixpy_k210")) == {}


@pytest.mark.parametrize("variant", [row for row in VARIANTS if row.file], ids=lambda row: row.name)
def test_a_shipped_configuration_resolves_to_what_the_catalogue_says(checkout: Path, variant: Any) -> None:
    file = checkout / "projects" / variant.project / variant.file
    theirs = resolved_by_maixpy(checkout, file, variant.project)
    assert differing(settings_of(variant), theirs) == {}
    assert differing(resolve_settings(file.read_text()).settings, theirs) == {}


@pytest.mark.parametrize("name", [row.name for row in VARIANTS])
def test_what_firmware_config_writes_is_taken_word_for_word(checkout: Path, tmp_path: Path, name: str) -> None:
    settings = preset_settings(name)
    file = tmp_path / "config.mk"
    file.write_text(configuration_text(settings, name))
    assert differing(settings, resolved_by_maixpy(checkout, file, "maixpy_k210")) == {}


def test_random_configurations_resolve_alike(checkout: Path, tmp_path: Path) -> None:
    source = random.Random(6)
    file = tmp_path / "config.mk"
    wrong: dict[str, tuple[str, str]] = {}
    for _ in range(RANDOM_CONFIGURATIONS):
        rows = source.sample(OPTIONS, source.randrange(1, len(OPTIONS)))
        lines = [_random_line(row.key, row.kind, source) for row in rows]
        if source.random() < 0.8:
            lines.append(f"{PREFIX}COMPONENT_MICROPYTHON_ENABLE=y")
        text = "\n".join(lines) + "\n"
        file.write_text(text)
        wrong |= differing(resolve_settings(text).settings, resolved_by_maixpy(checkout, file, "maixpy_k210"))
    assert wrong == {}


def _random_line(key: str, kind: str, source: random.Random) -> str:
    if kind == "bool":
        return source.choice([f"{PREFIX}{key}=y", f"# {PREFIX}{key} is not set"])
    if kind == "string":
        return f'{PREFIX}{key}="{source.choice(["", "/opt/x", "a b"])}"'
    number = source.choice([0, 1, 3, 5, 6, 255, 256, 257, 4096, 24_000_000])
    return f"{PREFIX}{key}={hex(number) if kind == 'hex' else number}"


@pytest.mark.parametrize("name", ["full", "minimum_with_ide", "m5stickv", "unitv"])
def test_the_build_s_own_header_says_the_same(checkout: Path, tmp_path: Path, name: str) -> None:
    """MaixPy's genconfig, as cmake calls it, writes global_config.h."""
    file = tmp_path / "config.mk"
    settings = preset_settings(name)
    file.write_text(configuration_text(settings, name))
    project = checkout / "projects" / "maixpy_k210"
    command = [sys.executable, str(checkout / "tools/kconfig/genconfig.py"), "--kconfig", str(checkout / "Kconfig")]
    command += ["--defaults", str(file), "--env", f"SDK_PATH={checkout}", "--env", f"PROJECT_PATH={project}"]
    for form, target in (("makefile", "g.mk"), ("header", "g.h")):
        command += ["--output", form, str(tmp_path / "out" / target)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    header = dict(_LINE.findall((tmp_path / "out" / "g.h").read_text()))
    for row in OPTIONS:
        value = settings[row.key]
        if row.kind == "bool":
            assert (header.get(row.key) == "1") == (value == "y"), row.key
        elif row.key in header:
            assert header[row.key].strip('"') == value, row.key
