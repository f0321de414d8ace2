"""What is missing on this computer, each with the cure."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from k210kit.errors import DeviceError

from .serial_port import FoundPort, choose_port, explain_open_failure, find_ports, usb_without_driver

__all__ = ["Finding", "diagnose", "is_fit"]

State = Literal["ok", "optional", "problem"]
FIRST_PYTHON = (3, 10)
FREE_BYTES = 2 * 1000**3
KFLASH_VERSION = "1.1.6"

# extra -> the modules it brings, and what for; the modules of a plain installation are under ""
EXTRAS: dict[str, tuple[tuple[str, ...], str]] = {
    "": (("numpy", "PIL", "typer", "rich", "numba", "tflite"), "everything"),
    "device": (("serial", "kflash"), "boards on a serial port"),
    "train": (("tensorflow",), "training"),
    "onnx": (("onnx",), "ONNX models"),
    "keras": (("h5py",), ".h5 and .keras models"),
    "compare": (("ai_edge_litert", "onnxruntime"), "the float side of compare"),
    "codes": (("zxingcpp", "pupil_apriltags"), "QR codes, bar codes and AprilTags on the desk"),
    "video": (("cv2",), "videos and webcams as the desk camera"),
    "studio": (("starlette", "uvicorn", "websockets"), "the viewer in a browser"),
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was looked at. `optional` lacks something that only some commands need; `cure` says what to do."""

    name: str
    state: State
    found: str
    cure: str = ""


def diagnose(folder: Path | None = None) -> tuple[Finding, ...]:
    """Look at Python, libraries, disk and serial ports; `folder` is where work would be written."""
    return (
        _python(),
        *(_extra(name) for name in EXTRAS),
        *_kflash(),
        _disk(folder or Path.cwd()),
        *_ports(),
    )


def is_fit(findings: tuple[Finding, ...]) -> bool:
    """Whether nothing is wrong that hinders every command."""
    return not any(finding.state == "problem" for finding in findings)


def _python() -> Finding:
    found = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.version_info[:2] >= FIRST_PYTHON and sys.maxsize > 2**32:
        return Finding(name="Python", state="ok", found=found)
    return Finding(name="Python", state="problem", found=found, cure="Install a 64-bit Python 3.10 or later.")


def _extra(name: str) -> Finding:
    modules, purpose = EXTRAS[name]
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    title = f"libraries for {purpose}"
    if not absent:
        return Finding(name=title, state="ok", found=", ".join(modules))
    wanted = f"k210kit[{name}]" if name else "k210kit"
    return Finding(
        name=title,
        state="optional" if name else "problem",
        found=f"{', '.join(absent)} missing",
        cure=f"pip install '{wanted}'",
    )


def _kflash() -> Iterator[Finding]:
    try:
        version = importlib.metadata.version("kflash")
    except importlib.metadata.PackageNotFoundError:
        return
    if version != KFLASH_VERSION:
        yield Finding(
            name="kflash",
            state="optional",
            found=f"version {version}; the flash program of {KFLASH_VERSION} is the one that was tried",
            cure=f"pip install kflash=={KFLASH_VERSION}",
        )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    found = f"{free / 1000**3:.1f} GB free in {folder}"
    if not os.access(folder, os.W_OK):
        return Finding(
            name="disk", state="problem", found=f"{folder} cannot be written", cure="Work in another folder."
        )
    if free < FREE_BYTES:
        return Finding(name="disk", state="problem", found=found, cure="Make room: training needs about 2 GB.")
    return Finding(name="disk", state="ok", found=found)


def _ports(look: Callable[[], tuple[FoundPort, ...]] = find_ports) -> Iterator[Finding]:
    """Ports with their permissions, USB chips without a driver, and brltty, which takes ports away."""
    if importlib.util.find_spec("serial") is None:
        return
    try:
        ports = choose_port(look(), without_driver=usb_without_driver)
    except DeviceError as error:
        yield Finding(name="serial port", state="optional", found="none", cure=str(error))
        ports = ()
    for port in ports:
        if os.name == "posix" and not os.access(port.name, os.R_OK | os.W_OK):
            cure = str(explain_open_failure(port.name, PermissionError(13, "denied")))
            yield Finding(name="serial port", state="problem", found=f"{port.name} may not be opened", cure=cure)
        else:
            yield Finding(name="serial port", state="ok", found=f"{port.name} ({port.title})")
    if Path("/usr/bin/brltty").exists():
        yield Finding(
            name="brltty",
            state="optional",
            found="brltty is installed; it takes CH340 chips for Braille displays",
            cure="sudo apt remove brltty, then plug the board in again",
        )
