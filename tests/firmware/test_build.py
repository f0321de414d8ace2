"""Building with a pretend checkout: a project.py with the real one's traps, a compiler that only tells its version."""

from __future__ import annotations

import os
import stat
import textwrap
from pathlib import Path

import pytest

from k210kit.errors import FileError, InputError, RefusedError
from k210kit.firmware.build import Job, build_firmware, prepare
from k210kit.firmware.build_failures import FAILURES, explain
from k210kit.firmware.config import configuration_text, variant_text
from k210kit.firmware.presets import changed, preset_settings
from k210kit.firmware.variants import VARIANTS
from tests.json_schemas import held

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the pretend compiler is a shell script")

# keeps the old configuration as MaixPy's own does: the file asked for counts only while no resolved one exists
PROJECT = """\
    import argparse, os, pathlib, shutil, sys
    sys.path.insert(0, {tests!r})
    from tests.firmware.images import image
    asked = argparse.ArgumentParser()
    asked.add_argument("cmd")
    for name in ("--config_file", "--toolchain", "--toolchain-prefix"):
        asked.add_argument(name, default="")
    asked = asked.parse_args()
    build, resolved = pathlib.Path("build"), pathlib.Path("build/config/global_config.mk")
    with open("calls.txt", "a") as calls:
        calls.write(asked.cmd + chr(10))
    if asked.cmd == "clean_conf":
        shutil.rmtree("build/config", ignore_errors=True)
        pathlib.Path(".flash.conf.json").unlink(missing_ok=True)
        sys.exit(0)
    if asked.cmd == "distclean":
        shutil.rmtree("build")
        sys.exit(0)
    print("build now")
    if os.path.exists("fails.txt"):
        print(open("fails.txt").read())
        sys.exit(1)
    makefile = build / "Makefile"
    if not makefile.exists() or asked.cmd == "rebuild":
        resolved.parent.mkdir(parents=True, exist_ok=True)
        makefile.write_text(asked.config_file)
    if not resolved.exists():
        resolved.write_text(pathlib.Path(makefile.read_text()).read_text())
    settings = resolved.read_text()
    for percent in (10, 55, 100):
        print(f"[{{percent:3}}%] Building C object part{{percent}}.c.obj", flush=True)
    on = [w for w, k in (("ide", "MAIXPY_IDE_SUPPORT"), ("thread", "MAIXPY_THREAD_ENABLE"),
          ("ws2812", "MAIXPY_WS2812_ENABLE"), ("fpioa_manager", "FPIOA_MANAGER"), ("board", "PY_BOARD"))
          if k + "=y" in settings]
    hz = 12_000_000 if "SENSOR_FREQ=12000000" in settings else 24_000_000
    extra = pathlib.Path("extra.bin")
    made = image(on, sensor_hz=hz, code=extra.read_bytes() if extra.exists() else b"")
    (build / "maixpy.bin").write_bytes(made)
"""


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A checkout, a compiler, cmake and make that are only names, and the configuration `unitv`."""
    root = tmp_path / "MaixPy-v1"
    project = root / "projects" / "maixpy_k210"
    project.mkdir(parents=True)
    tests = str(Path(__file__).resolve().parents[2])
    (project / "project.py").write_text(textwrap.dedent(PROJECT).format(tests=tests))
    (root / "components" / "micropython" / "core").mkdir(parents=True)
    (root / "components" / "micropython" / "core" / "a.c").write_text("")
    (root / ".gitmodules").write_text('[submodule "core"]\n\tpath = components/micropython/core\n')
    executable(tmp_path / "toolchain" / "bin" / "riscv64-unknown-elf-gcc", "#!/bin/sh\necho 8.2.0\n")
    for name in ("cmake", "make"):
        executable(tmp_path / "tools" / name, "#!/bin/sh\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tools'}{os.pathsep}{os.environ['PATH']}")
    configuration = tmp_path / "config_unitv.mk"
    configuration.write_text(variant_text(next(row for row in VARIANTS if row.name == "unitv")))
    return Job(
        configuration=configuration, maixpy=root, toolchain=tmp_path / "toolchain" / "bin", output=tmp_path / "out.bin"
    )


def calls(job: Job) -> list[str]:
    return (job.maixpy / "projects" / "maixpy_k210" / "calls.txt").read_text().split()


def project(job: Job) -> Path:
    return job.maixpy / "projects" / "maixpy_k210"


def test_a_first_build_gives_what_was_asked_for(job: Job) -> None:
    steps: list[tuple[float, str]] = []
    held("firmware-build-dry-run", prepare(job))
    made = build_firmware(job, lambda fraction, what: steps.append((fraction, what)))
    held("firmware-build", made)
    assert calls(job) == ["build"]
    assert made.image.variant == "unitv"
    assert made.image.sensor_hz == 24_000_000
    assert job.output is not None
    assert job.output.read_bytes() == (project(job) / "build" / "maixpy.bin").read_bytes()
    assert [fraction for fraction, _ in steps] == [0.1, 0.55, 1.0]
    assert not [text for text in made.warnings if "asked for" in text]


def test_a_second_build_with_other_options_does_not_keep_the_old_ones(job: Job) -> None:
    build_firmware(job)
    assert job.output is not None
    job.output.unlink()
    (project(job) / ".flash.conf.json").write_text("{}")
    other = changed(preset_settings("minimum"), ["SENSOR_FREQ=12000000"])
    job.configuration.write_text(configuration_text(other, "another"))
    made = build_firmware(job)
    assert calls(job) == ["build", "distclean", "build"]
    assert made.image.sensor_hz == 12_000_000
    assert made.image.features["ide"] is False
    assert (project(job) / ".flash.conf.json").read_text() == "{}"


def test_the_same_configuration_again_keeps_what_is_compiled(job: Job) -> None:
    build_firmware(job)
    assert job.output is not None
    job.output.unlink()
    (project(job) / ".flash.conf.json").write_text("{}")
    build_firmware(job)
    assert calls(job) == ["build", "clean_conf", "rebuild"]
    assert (project(job) / ".flash.conf.json").read_text() == "{}"  # the user's; clean_conf deletes it


def test_a_folder_in_which_no_configuration_was_resolved_is_begun_anew(job: Job) -> None:
    (project(job) / "build").mkdir()
    build_firmware(job)
    assert calls(job) == ["distclean", "build"]


def test_a_configuration_that_was_not_used_is_found_out(job: Job) -> None:
    script = project(job) / "project.py"
    script.write_text(script.read_text().replace('shutil.rmtree("build")', "pass"))
    build_firmware(job)
    assert job.output is not None
    job.output.unlink()
    job.configuration.write_text(configuration_text(preset_settings("minimum"), "another"))
    with pytest.raises(
        RefusedError, match=r"The build used another configuration: .*LCD_DEFAULT_WIDTH is 240, not 320"
    ):
        build_firmware(job)
    assert not job.output.exists()


def test_a_build_that_calls_itself_is_refused(job: Job) -> None:
    from tests.firmware.images import STRLEN_THAT_CALLS_ITSELF

    (project(job) / "extra.bin").write_bytes(STRLEN_THAT_CALLS_ITSELF)
    with pytest.raises(RefusedError, match=r"will not run. A function at .* only calls itself"):
        build_firmware(job)


@pytest.mark.parametrize(
    ("output", "meaning"),
    [
        ("ModuleNotFoundError: No module named 'serial'", "pip install pyserial"),
        ("region `ram' overflowed by 40960 bytes", "40960 bytes too large"),
        ("Error: unrecognized opcode `csrr a5,mhartid', extension `zicsr' required", "vendor's compiler 8.2.0"),
        ("Compatibility with CMake < 3.5 has been removed from CMake.", "CMAKE_POLICY_VERSION_MINIMUM"),
        ("config file path error:/nowhere", "full path"),
        ("fatal error: py/runtime.h: No such file or directory", "git submodule update"),
        ("components/micropython/CMakeLists.txt: core/lib/mbedtls/include not found!", "perhaps one inside another"),
        # the rest as GCC 12.2 of Debian printed them on MaixPy-v1 d8901fd22
        ("riscv64-unknown-elf/bin/ld: cannot find crt0.o: No such file or directory", "comes without crt0.o"),
        ("riscv64-unknown-elf/bin/ld: cannot find -lstdc++: No such file or directory", "comes without -lstdc++"),
        ("syscalls.h:19:10: fatal error: machine/syscall.h: No such file or directory", "brings its own newlib"),
        ("iomem.c:20:5: error: unknown type name '_lock_t'", "newlib has no _lock_t"),
        ("asr.c:(.text.cnn1_run+0x24): undefined reference to `nncase_run_kmodel'", "KMODEL_V4_SUPPORT=y brings"),
        ("cc1: some warnings being treated as errors", "warns of more than 8.2.0 did"),
        (
            "portasm.S:262: Error: unrecognized opcode `fld f23,(23+32)*8(sp)', extension `d' required",
            "portasm.S saves",
        ),
    ],
)
def test_usual_failures_are_explained(job: Job, output: str, meaning: str) -> None:
    (project(job) / "fails.txt").write_text(output)
    with pytest.raises(RefusedError) as caught:
        build_firmware(job)
    assert meaning in str(caught.value)
    assert output.split("\n")[0] in str(caught.value)


def test_an_unusual_failure_shows_what_was_printed(job: Job) -> None:
    (project(job) / "fails.txt").write_text("error: the moon is in the wrong phase")
    with pytest.raises(RefusedError, match=r"none of the usual failures(.|\n)*wrong phase"):
        build_firmware(job)


def test_every_explanation_is_found_by_its_own_words() -> None:
    assert explain("all is well") == ()
    assert len({failure.meaning for failure in FAILURES}) == len(FAILURES)
    assert explain("No module named 'serial'") == (FAILURES[0].meaning,)
    assert explain("No module named 'imp'")[0].startswith("The build's Python scripts want the module imp.")


def test_what_is_missing_is_told_before_anything_runs(job: Job, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(InputError, match="is no checkout of MaixPy-v1"):
        prepare(replace(job, maixpy=tmp_path))
    with pytest.raises(InputError, match=r"has no project 'maixpy'. It has: maixpy_k210"):
        prepare(replace(job, project="maixpy"))
    with pytest.raises(InputError, match="There is no riscv64-unknown-elf-gcc in"):
        prepare(replace(job, toolchain=tmp_path / "nothing"))
    (job.maixpy / "components" / "micropython" / "core" / "a.c").unlink()
    with pytest.raises(InputError, match=r"1 submodules of .* are missing, components/micropython/core first"):
        prepare(job)
    assert not (project(job) / "calls.txt").exists()


def test_a_configuration_with_errors_is_not_built(job: Job) -> None:
    job.configuration.write_text(job.configuration.read_text() + "CONFIG_MAIXPY_THREAD=y\n")
    with pytest.raises(RefusedError, match="Did you mean CONFIG_MAIXPY_"):
        build_firmware(job)
    assert not (project(job) / "calls.txt").exists()


def test_an_option_that_only_a_fork_has_is_built_in_that_fork(job: Job) -> None:
    job.configuration.write_text(job.configuration.read_text() + "CONFIG_KRUX_CAMERA=y\n")
    with pytest.raises(RefusedError, match="MaixPy has no CONFIG_KRUX_CAMERA"):
        prepare(job)
    (job.maixpy / "components" / "micropython" / "Kconfig").write_text("menu\n\tconfig KRUX_CAMERA\n\t\tbool\n")
    assert prepare(job).checked.settings["MAIXPY_IDE_SUPPORT"] == "y"


def test_a_newer_compiler_is_warned_of(job: Job, tmp_path: Path) -> None:
    executable(tmp_path / "toolchain" / "bin" / "riscv64-unknown-elf-gcc", "#!/bin/sh\necho 12.2.0\n")
    assert any("12.2.0, not the vendor's 8.2.0" in text for text in prepare(job).warnings)


def test_a_file_of_the_users_is_not_overwritten(job: Job) -> None:
    assert job.output is not None
    job.output.write_bytes(b"mine")
    with pytest.raises(FileError, match="exists already"):
        build_firmware(job)
    assert job.output.read_bytes() == b"mine"
