"""Build a firmware with the user's own MaixPy-v1 checkout and compiler.

The checkout's project.py does the work. What is added: everything is looked for before an hour is spent; the traps of
a build folder that was used before are avoided; what was built is compared with what was asked for.

By experiment a plain `build` silently keeps the old options. `clean_conf` with `rebuild --config_file` takes the new
ones, but keeps names of modules that are gone: 2,048 bytes more. So another configuration begins with `distclean`, and
the same one goes on with `clean_conf` and `rebuild`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from k210kit.errors import InputError, RefusedError
from k210kit.files import read_whole, refuse_existing, write_whole
from k210kit.firmware.build_failures import explain
from k210kit.firmware.check import Checked, check_configuration
from k210kit.firmware.config import parse_lines
from k210kit.firmware.image import FirmwareImage, read_image
from k210kit.hardware import GENERAL_MEMORY_BYTES

__all__ = ["Built", "Job", "Ready", "build_firmware", "prepare"]

VENDOR_COMPILER = "8.2.0"
_PERCENT = re.compile(r"^\[\s*(\d+)%\]\s*(.*)")
_TELLING = re.compile(r"error|undefined reference|cannot find|not found|overflowed|multiple definition", re.IGNORECASE)
_KEPT_LINES = 400
_SHOWN_LINES = 12
_FLASH_SETTINGS = ".flash.conf.json"  # of the user; clean_conf would delete it
_GENERATED = Path("build", "config", "global_config.mk")

Report = Callable[[float, str], None]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to build, with what; `project` is a folder in the checkout's projects."""

    configuration: Path
    maixpy: Path
    toolchain: Path | None = None
    project: str = "maixpy_k210"
    output: Path | None = None
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Ready:
    """All that a build needs, found and checked."""

    facts: Mapping[str, str]
    warnings: tuple[str, ...]
    folder: Path
    compiler_folder: Path
    prefix: str
    checked: Checked = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished build: the .bin, what is in it, and how it compares with what was asked for."""

    file: Path
    bytes: int
    sha256: str
    image: FirmwareImage
    predicted_bytes: int
    seconds: float
    warnings: tuple[str, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        off = 100 * (self.bytes - self.predicted_bytes) / self.predicted_bytes
        free = self.image.free_after_gc_bytes
        return (
            f"{self.file}: {self.bytes:,} bytes in {self.seconds:.0f} s ({off:+.1f} % of what was predicted)",
            f"version {self.image.version or 'unknown'}, like {self.image.variant or 'no known build'}",
            f"free behind a GC heap of 512 KiB: {free:,} bytes" if free is not None else "free memory: unknown",
            *(f"warning: {text}" for text in self.warnings),
        )


def prepare(job: Job) -> Ready:
    """Find and check configuration, checkout and compiler; an `InputError` says what is missing and how to get it."""
    checked = _configuration(job)
    folder = _project(job)
    compiler_folder, prefix, version = _compiler(job, checked)
    tools = {name: _tool(name) for name in ("cmake", "make")}
    if importlib.util.find_spec("serial") is None:
        raise InputError("MaixPy's project.py imports pyserial even to build. Install it: pip install pyserial")
    if job.output is not None:
        refuse_existing(job.output, force=job.force)
    warnings = [row.message for row in checked.findings if row.level == "warning"]
    if version != VENDOR_COMPILER:
        warnings.append(
            f"The compiler is {version}, not the vendor's {VENDOR_COMPILER}. Newer ones have made builds whose strlen "
            "or memset call themselves; the result is searched for that."
        )
    described = _described(job.maixpy)
    if not described:
        warnings.append(
            "git describes no version: the checkout is shallow or has no tags, so the build will not know its own."
        )
    facts = {
        "configuration": str(job.configuration),
        "project": str(folder),
        "checkout": described or "version unknown",
        "compiler": f"{compiler_folder / (prefix + 'gcc')} {version}",
        **tools,
        "expected .bin bytes": f"{checked.size.image_bytes:,}",
    }
    return Ready(
        facts=facts,
        warnings=tuple(warnings),
        folder=folder,
        compiler_folder=compiler_folder,
        prefix=prefix,
        checked=checked,
    )


def build_firmware(job: Job, report: Report = lambda fraction, what: None) -> Built:
    """Build, and compare the result with the configuration; a failure is a `RefusedError` that explains itself."""
    ready = prepare(job)
    started = time.monotonic()
    kept = _read_if_there(ready.folder / _FLASH_SETTINGS)
    command, *cleaning = _way(ready)
    try:
        for step in cleaning:
            report(0.0, "forget the old configuration")
            _run(ready, [step], report)
    finally:
        if kept is not None and not (ready.folder / _FLASH_SETTINGS).exists():
            write_whole(ready.folder / _FLASH_SETTINGS, kept)
    arguments = [command, "--config_file", str(job.configuration.resolve())]
    arguments += ["--toolchain", str(ready.compiler_folder), "--toolchain-prefix", ready.prefix]
    _run(ready, arguments, report)
    _refuse_stale(ready)
    return _result(job, ready, time.monotonic() - started)


def _way(ready: Ready) -> tuple[str, ...]:
    """The command that builds, and behind it the one that has to go before it, if any."""
    if not (ready.folder / "build").exists():
        return ("build",)
    if (ready.folder / _GENERATED).exists() and not _differing(ready):
        return "rebuild", "clean_conf"
    return "build", "distclean"


def _configuration(job: Job) -> Checked:
    text = read_whole(job.configuration, most_bytes=1 << 20).decode("utf-8", errors="replace")
    checked = check_configuration(text, name=job.configuration.stem)
    keys = {line.number: line.key for line in parse_lines(text)}
    own = _options_of(job.maixpy)  # a fork of MaixPy may have options that MaixPy has not
    errors = [
        row.message
        for row in checked.findings
        if row.level == "error" and not (row.rule == "unknown key" and keys.get(row.line or 0) in own)
    ]
    if errors:
        raise RefusedError(f"{job.configuration} would not build what it says: {' '.join(errors)}")
    return checked


def _options_of(root: Path) -> frozenset[str]:
    """The options that a checkout's own Kconfig files name."""
    files = [root / "Kconfig", *(root / "components").glob("*/Kconfig")]
    texts = ((_read_if_there(path) or b"").decode("utf-8", errors="replace") for path in files)
    return frozenset(key for text in texts for key in re.findall(r"^\s*config\s+(\w+)", text, re.MULTILINE))


def _project(job: Job) -> Path:
    root = job.maixpy
    if not (root / "components" / "micropython").is_dir() or not (root / "projects").is_dir():
        raise InputError(
            f"{root} is no checkout of MaixPy-v1: components/micropython or projects is missing. Get one with: "
            "git clone --recursive https://github.com/sipeed/MaixPy-v1"
        )
    folder = root / "projects" / job.project
    if not (folder / "project.py").is_file():
        known = sorted(path.parent.name for path in (root / "projects").glob("*/project.py"))
        raise InputError(f"{root} has no project {job.project!r}. It has: {', '.join(known) or 'none'}.")
    empty = [name for name in _submodules(root) if not _has_files(root / name)]
    if empty:
        raise InputError(
            f"{len(empty)} submodules of {root} are missing, {empty[0]} first. "
            "In that folder: git submodule update --init --recursive"
        )
    return folder


def _submodules(root: Path) -> list[str]:
    listed = _read_if_there(root / ".gitmodules")
    return re.findall(r"^\s*path\s*=\s*(\S+)", (listed or b"").decode("utf-8", errors="replace"), re.MULTILINE)


def _has_files(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())


def _compiler(job: Job, checked: Checked) -> tuple[Path, str, str]:
    folder = (job.toolchain or Path(checked.settings["TOOLCHAIN_PATH"])).expanduser()
    prefix = checked.settings["TOOLCHAIN_PREFIX"]
    program = folder / f"{prefix}gcc"
    if not program.is_file() and (folder / "bin" / program.name).is_file():
        folder, program = folder / "bin", folder / "bin" / program.name
    if not program.is_file():
        raise InputError(
            f"There is no {program.name} in {folder}. Name the bin folder of your compiler with --toolchain; MaixPy is "
            f"built with Kendryte's toolchain {VENDOR_COMPILER} of 2019-04-09."
        )
    try:
        done = _said(program, "-dumpversion")
    except OSError as error:
        raise InputError(f"{program} cannot be run on this computer: {error.strerror}.") from None
    if done.returncode != 0 or not done.stdout.strip():
        raise InputError(f"{program} does not tell its version: {done.stderr.strip() or 'it printed nothing'}.")
    return folder.resolve(), prefix, done.stdout.strip()


def _tool(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise InputError(f"{name} is not installed. Install it with your system's package manager.")
    return found


def _said(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """What a program answers within half a minute, whatever the locale's encoding."""
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", timeout=30, check=False)


def _described(root: Path) -> str:
    git = shutil.which("git")
    if not git:
        return ""
    done = _said(git, "-C", root, "describe", "--tags", "--long")
    return done.stdout.strip() if done.returncode == 0 else ""


def _read_if_there(path: Path) -> bytes | None:
    return read_whole(path) if path.is_file() else None


def _run(ready: Ready, arguments: Sequence[str], report: Report) -> None:
    """Run project.py, turn make's percentages into progress, and explain a failure."""
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    process = subprocess.Popen(
        [sys.executable, "project.py", *arguments],
        cwd=ready.folder,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name == "posix",
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            lines.append(line.rstrip())
            if step := _PERCENT.match(line):
                report(int(step.group(1)) / 100, step.group(2)[:60])
        process.wait()
    except KeyboardInterrupt:
        _stop(process)
        raise
    if process.returncode != 0:
        raise RefusedError(_failure(arguments[0], process.returncode, list(lines)))


def _stop(process: subprocess.Popen[str]) -> None:
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()
    process.wait()


def _failure(command: str, code: int, lines: list[str]) -> str:
    meanings = explain("\n".join(lines))
    told = " ".join(meanings) if meanings else "It is none of the usual failures."
    errors = [line for line in lines if _TELLING.search(line)] or lines
    return f"project.py {command} ended with {code}. {told} It printed:\n" + "\n".join(errors[-_SHOWN_LINES:])


def _refuse_stale(ready: Ready) -> None:
    """Refuse what was built with other options than those that were asked for."""
    wrong = _differing(ready)
    if wrong:
        raise RefusedError(
            f"The build used another configuration: {'; '.join(wrong[:4])}. "
            f"Run project.py distclean in {ready.folder}, then build again."
        )


def _differing(ready: Ready) -> list[str]:
    """What the build folder's resolved configuration has otherwise than it was asked for."""
    used = _read_if_there(ready.folder / _GENERATED)
    lines = parse_lines((used or b"").decode("utf-8", errors="replace"))
    effective = {line.key: line.value for line in lines}
    return [
        f"{key} is {effective[key]}, not {value}"
        for key, value in ready.checked.settings.items()
        if key in effective and not key.startswith("TOOLCHAIN") and value != "" and not _same(effective[key], value)
    ]


def _same(one: str, other: str) -> bool:
    try:
        return int(one, 0) == int(other, 0)
    except ValueError:
        return one == other


def _result(job: Job, ready: Ready, seconds: float) -> Built:
    made = ready.folder / "build" / "maixpy.bin"
    if not made.is_file():
        raise RefusedError(f"project.py ended without an error, but {made} is not there.")
    data = read_whole(made, most_bytes=GENERAL_MEMORY_BYTES)
    image = read_image(data)
    warnings = [*ready.warnings, *image.warnings, *_against_request(ready, image)]
    if image.self_calls:
        raise RefusedError(f"{made} was built, but will not run. {' '.join(image.warnings)}")
    target = made
    if job.output is not None:
        write_whole(job.output, data, force=job.force)
        target = job.output
    return Built(
        file=target,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        image=image,
        predicted_bytes=ready.checked.size.image_bytes,
        seconds=seconds,
        warnings=tuple(warnings),
    )


def _against_request(ready: Ready, image: FirmwareImage) -> list[str]:
    wanted = ready.checked.firmware
    found = []
    for word, there in image.features.items():
        if there is not None and there != (word in wanted.features):
            found.append(
                f"{word} was {'not ' if there else ''}asked for, but is {'' if there else 'not '}in the image."
            )
    if image.sensor_hz and wanted.sensor_hz and image.sensor_hz != wanted.sensor_hz:
        found.append(f"The camera clock in the image is {image.sensor_hz:,} Hz, not {wanted.sensor_hz:,}.")
    return found
