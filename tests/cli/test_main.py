from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import k210kit
from k210kit.cli.main import main
from k210kit.cli.table import COMMANDS


def _run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[Any, str, str]:
    monkeypatch.setattr(sys, "argv", ["k210kit", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


def test_alone_it_shows_the_way_from_photos_to_a_camera(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = _run(capsys, monkeypatch)
    assert code == 0
    assert out.startswith("From photos to a working camera:\n  k210kit train photos -o run\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inspekt"], "error: No such command 'inspekt'. Did you mean 'inspect'? See: k210kit --help"),
        (["inspect", "a", "--foo"], "error: No such option: --foo. See: k210kit inspect --help"),
        (["inspect", "none.bin"], "error: none.bin does not exist. Check the name, or give the full path."),
    ],
)
def test_a_wrong_command_line_is_one_message_and_exit_2(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    code, out, err = _run(capsys, monkeypatch, *words)
    assert (code, out, err) == (2, "", message + "\n")


def test_with_json_an_error_is_an_object_on_stdout_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = _run(capsys, monkeypatch, "inspect", "none.bin", "--json")
    assert code == 2
    assert json.loads(out)["error"]["kind"] == "FileError"


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: str(row.name))
def test_every_command_has_help_with_an_example_and_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, row: Any
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    code, out, _ = _run(capsys, monkeypatch, row.name, "--help")
    assert code == 0
    is_group = len(import_module(row.module).app.registered_commands) > 1
    if not is_group:
        assert "Example" in out
        assert "--json" in out


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("numpy", "typer", "rich", "tensorflow", "numba", "PIL")
    code = f"import sys, k210kit; print([m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_verb_is_there() -> None:
    assert k210kit.__all__ == sorted(k210kit.__all__)
    for verb in k210kit.__all__:
        assert callable(getattr(k210kit, verb)), verb


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["insp"], ["inspect"]),
        (["firmware", "co"], ["config"]),
        (["compile", "--eff"], ["--effort"]),
        (["compile", "--effort", ""], ["fast", "normal", "best"]),
        (["fit", "--load", "flash"], ["flash", "flash-dual"]),
    ],
)
def test_bash_completes_commands_options_and_values(words: list[str], found: list[str]) -> None:
    command = Path(sys.executable).parent / "k210kit"
    if not command.exists():
        pytest.skip("the command is not installed beside this Python")
    script = (
        f'eval "$("{command}" --show-completion bash)"; COMP_WORDS=(k210kit {" ".join(w or "" for w in words)} "" ); '
        f'COMP_CWORD={len(words)}; _k210kit_completion "{command}"; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == found


@pytest.mark.skipif(shutil.which("fish") is None, reason="no fish here")
def test_fish_completes_too(tmp_path: Path) -> None:
    command = Path(sys.executable).parent / "k210kit"
    if not command.exists():
        pytest.skip("the command is not installed beside this Python")
    script = (
        "k210kit --show-completion | source; complete -C 'k210kit firmware co'; complete -C 'k210kit compile --eff'"
    )
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["fish", "-c", script], capture_output=True, text=True, check=True, timeout=120,
        env={**os.environ, "PATH": path, "HOME": str(tmp_path)},
    )  # fmt: skip
    assert [line.split("\t")[0] for line in done.stdout.splitlines() if line] == ["config", "--effort"]
