"""The M5StickC-Plus sketch on this computer: compiled with g++ against a stand-in for the board, its display a PNG."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from k210kit.device.serial_port import line_speed
from k210kit.errors import DeviceError, KitError, UnsupportedError

__all__ = ["DISPLAY", "DeskStick", "build_stick", "sketch_folder"]

DISPLAY = (240, 135)  # pixels, landscape (M5StickC-Plus, In_eSPI_Setup.h)
_STB = (Path("/usr/include/stb"), Path("/usr/local/include/stb"), Path("/opt/homebrew/include/stb"))
_HERE = Path(__file__).resolve()


def sketch_folder() -> Path:
    """Where the sketch is: beside the sources, or inside the installed package."""
    for folder in (_HERE.parents[3] / "receivers" / "stickc_plus", _HERE.parents[1] / "receivers" / "stickc_plus"):
        if (folder / "stickc_plus.ino").is_file():
            return folder
    raise KitError("The M5StickC-Plus sketch is missing from this installation.")


def stb_folder() -> Path:
    """Where stb_image.h is."""
    for folder in _STB:
        if (folder / "stb_image.h").is_file():
            return folder
    raise DeviceError(
        "stb_image.h is not installed; the desk StickC decodes with it. On Debian: apt install libstb-dev"
    )


def build_stick(folder: Path) -> Path:
    """Compile the sketch for this computer into `folder`; raises `DeviceError` if something it needs is missing."""
    if os.name != "posix":
        raise UnsupportedError("The desk StickC needs pseudo terminals, which this system has not.")
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise DeviceError("No C++ compiler was found; the desk StickC is compiled. On Debian: apt install g++")
    sketch, program = sketch_folder(), folder / "stickc"
    folder.mkdir(parents=True, exist_ok=True)
    desk = sketch / "desk"
    sources = [str(path) for path in (sketch / "stickc_plus.ino", desk / "board.cpp", desk / "display.cpp")]
    command = [compiler, "-std=c++17", "-O2", "-Wall", "-Wextra", f"-I{sketch}", f"-I{desk}", f"-I{stb_folder()}",
               "-include", "Arduino.h", "-x", "c++", *sources, "-o", str(program)]  # fmt: skip
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    if done.returncode or done.stderr:
        raise KitError(f"The sketch does not compile cleanly:\n{done.stderr.strip()}")
    return program


@dataclass
class DeskStick:
    """A running desk StickC on one end of a pseudo terminal; this is the other end."""

    process: subprocess.Popen[str]
    near: int

    @staticmethod
    def start(
        program: Path, display: Path, *, pushes: int = 0, seconds: int = 0, press: str = "", every_ms: int = 100
    ) -> DeskStick:
        """Run it; `display` is rewritten at most each `every_ms`; `press` as in "A@1500,B@3000" (milliseconds)."""
        import pty
        import tty

        near, far = pty.openpty()
        tty.setraw(near)
        os.set_blocking(near, False)
        options = {"--port": os.ttyname(far), "--png": str(display), "--every": str(every_ms), "--pushes": str(pushes),
                   "--seconds": str(seconds), "--press": press}  # fmt: skip
        words = [word for pair in options.items() for word in pair]
        process = subprocess.Popen([str(program), *words], stdout=subprocess.PIPE, encoding="utf-8")
        stick = DeskStick(process, near)
        stick._far = far
        return stick

    _far: int = -1

    @property
    def baud(self) -> int:
        """The speed that the sketch has set."""
        return line_speed(self._far) or 0

    def write(self, data: bytes) -> None:
        """Bytes to the sketch's RX pin; waits while it is busy."""
        import select

        view = memoryview(data)
        while view and self.process.poll() is None:
            if select.select([], [self.near], [], 0.1)[1]:
                view = view[os.write(self.near, view) :]

    def read(self) -> bytes:
        """What the sketch has sent since."""
        try:
            return os.read(self.near, 65536)
        except BlockingIOError:
            return b""

    def wait(self, seconds: float) -> int:
        """Wait for the end; returns how often the display was drawn."""
        try:
            out, _ = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"The desk StickC has not ended after {seconds:g} s; its display was not drawn."
            ) from None
        return int(out.split()[1]) if out.startswith("pushes ") else 0

    def stop(self) -> int:
        """End it now; returns how often the display was drawn."""
        self.process.terminate()
        return self.wait(5)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        for end in (self.near, self._far):
            os.close(end)
