"""Standard streams as systems give them: closed, full, left by their reader, in an encoding that lacks letters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from tests.kmodel.samples import small_model

pytestmark = pytest.mark.skipif(os.name != "posix", reason="these are run by a POSIX shell")

TELLS = ["inspect m.kmodel", "inspect m.kmodel --json", "--help", "inspect --help", "--version", "explain 2006"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a kmodel in it."""
    (tmp_path / "m.kmodel").write_bytes(small_model().to_bytes())
    return tmp_path


def shell(folder: Path, words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`k210kit WORDS` as bash runs it, with its exit code even if its output goes into a pipe."""
    line = f"set -o pipefail; {sys.executable} -m k210kit {words}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("words", TELLS)
def test_a_reader_who_leaves_changes_nothing(folder: Path, words: str) -> None:
    done = shell(folder, f"{words} | true")
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_reader_who_leaves_does_not_turn_a_no_into_a_yes(folder: Path) -> None:
    assert shell(folder, "fit m.kmodel --gc-heap 1M --camera VGA --dual-buffer | true").returncode == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("words", TELLS)
def test_a_full_disk_behind_the_output_is_one_message(folder: Path, words: str) -> None:
    done = shell(folder, f"{words} > /dev/full")
    assert done.returncode == 2
    assert done.stderr.decode() == (
        "error: Nothing more can be written: No space left on device. Make room on the disk that the output goes to.\n"
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("inspect m.kmodel >&-", 0),
        ("inspect m.kmodel --json >&- <&- 2>&-", 0),
        ("inspect none.kmodel 2>&-", 2),
        ("explain <&-", 3),
        ("terminal <&-", 2),
    ],
)
def test_closed_streams_are_no_fault(folder: Path, words: str, code: int) -> None:
    done = shell(folder, words)
    assert done.returncode == code, done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp932", "gbk", "utf-8:strict"])
def test_letters_that_the_output_lacks_are_no_fault(folder: Path, encoding: str) -> None:
    (folder / "Küche 写真.kmodel").write_bytes(small_model().to_bytes())
    for words in ("inspect 'Küche 写真.kmodel'", "explain 2006", "fit --help"):
        done = shell(folder, words, PYTHONIOENCODING=encoding)
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout
    assert b"K" in done.stdout
    told = shell(folder, "inspect 'Küche 写真.kmodel' --json", PYTHONIOENCODING=encoding)
    assert json.loads(told.stdout.decode("ascii"))["file"] == "Küche 写真.kmodel"


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux only")
def test_a_name_that_is_no_utf8_goes_out_as_it_came_in(folder: Path) -> None:
    os.rename(folder / "m.kmodel", os.fsencode(folder) + b"/w\xfcrm.kmodel")  # noqa: PTH104 - a name in bytes
    done = shell(folder, "inspect $'w\\xfcrm.kmodel'", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 0
    assert done.stdout.startswith(b"w\xfcrm.kmodel: kmodel 3")
    assert shell(folder, "inspect $'\\xfc.kmodel'", PYTHONIOENCODING="utf-8:strict").returncode == 2


def test_what_a_script_on_the_desk_prints_may_lack_letters_too(folder: Path) -> None:
    (folder / "s.py").write_text('print("写真")\n', encoding="utf-8")
    done = shell(folder, "run s.py", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr


def test_pasted_bytes_that_are_no_text_are_explained_all_the_same(folder: Path) -> None:
    (folder / "log").write_bytes(b"\xff\xfe load error:2006 \x80")
    done = shell(folder, "explain --language en < log", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 0
    assert b"kpu.load_flash" in done.stdout


@pytest.mark.parametrize("name", ["m[bold]x.kmodel", "m[].kmodel", "m:cat:.kmodel"])
def test_a_name_is_shown_as_it_is(name: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(small_model().to_bytes())
    assert call("inspect", name).out.startswith(f"{name}: kmodel 3")
    assert call("fit", name).out.startswith(f"{name} on full")
    assert call("swap", name, f"be{name}").out.startswith(f"be{name}: ")
    assert f"{name}" in call("pack", "-o", "p.kfpkg", f"{name}@0x300000").out
    assert call("inspect", f"no{name}").err.startswith(f"error: no{name} does not exist.")


def test_the_doctor_names_extras_as_they_are_typed(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    left = call("doctor")
    assert "pip install 'k210kit[onnx]'" in left.out


def test_what_goes_into_a_file_has_no_blanks_at_the_end_of_lines(call: Call, folder: Path) -> None:
    for words in ("inspect m.kmodel", "fit m.kmodel", "doctor", "firmware list"):
        assert [line for line in call(*words.split()).out.splitlines() if line != line.rstrip()] == []
