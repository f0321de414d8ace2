"""MicroPython's prompt on a serial port: run code, carry files over, get past a boot.py that never ends.

Programs talk to the raw REPL (Ctrl-A), which neither echoes nor indents: the code, Ctrl-D, and back come "OK", what was
printed, 0x04, the traceback if there is one, 0x04 and ">". People talk to the friendly one through `interact`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from k210kit.errors import DeviceError

from .boards import SEQUENCES, Step
from .clock import Clock, RealClock
from .serial_port import PORT_FAULTS, Port, PortLost

__all__ = ["CodeFailed", "RemoteFile", "Repl"]

INTERRUPT = b"\x03"
RAW = b"\x01"
FRIENDLY = b"\x02"
END = b"\x04"
PASTE = b"\x05"
PROMPT = b">>> "
RAW_GREETING = b"raw REPL; CTRL-B to exit\r\n>"
SLICE_BYTES = 256  # MaixPy's REPL keeps 1 to 2 KiB that it has not read yet, and loses what comes beyond
SLICE_SECONDS = 0.01
CHUNK_BYTES = 384  # of a file at a time; 512 characters in base64
START_FILES = ("boot.py", "main.py")
FLASH_FOLDER = "/flash"
RELEASED = Step(False, False)  # one board's last step would hold another in reset


class CodeFailed(DeviceError):
    """Code on the board raised an exception; `traceback` is what it printed."""

    def __init__(self, traceback: str) -> None:
        self.traceback = traceback
        last = traceback.strip().splitlines()[-1] if traceback.strip() else "an unknown error"
        super().__init__(f"The board says: {last}")


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file on the board."""

    name: str
    size: int


class Repl:
    """The prompt of one board. Methods raise `DeviceError` when it does not answer as MicroPython does."""

    def __init__(self, port: Port, clock: Clock | None = None) -> None:
        self._port = port
        self._clock = clock or RealClock()
        self._raw = False

    # -- the prompt

    def attach(self, timeout: float = 3.0) -> None:
        """Stop what runs with Ctrl-C and wait for the prompt."""
        self._raw = False
        heard = b""
        until = self._clock.now() + timeout
        while self._clock.now() < until:
            self._write(b"\r" + FRIENDLY + INTERRUPT + INTERRUPT)
            heard = self._read_until(PROMPT, min(0.5, timeout))
            if heard.endswith(PROMPT):
                self._drain()
                return
        said = f" It sent {heard[-60:]!r}." if heard else " It sent nothing."
        raise DeviceError(
            "No MicroPython prompt answers on this port." + said + " Is this the board's port and its speed (115200)? "
            "If a script holds the board, try --rescue."
        )

    def run(self, code: str, timeout: float = 10.0) -> str:
        """Run code and return what it printed; `CodeFailed` with the board's traceback if it raises."""
        self._enter_raw()
        self._write_slowly(code.encode() + END)
        started = self._read_until(b"OK", timeout)
        if not started.endswith(b"OK"):
            raise DeviceError(f"The board did not take the code (it sent {started[-60:]!r}). Try again, or --rescue.")
        printed = self._read_until(END, timeout)
        if not printed.endswith(END):
            raise DeviceError(f"The code did not end within {timeout:g} s.")
        failed = self._read_until(END, 2.0).removesuffix(END)
        self._read_until(b">", 2.0)
        if failed:
            raise CodeFailed(failed.decode(errors="replace"))
        return printed.removesuffix(END).decode(errors="replace").replace("\r\n", "\n")

    def paste(self, code: str, timeout: float = 10.0) -> str:
        """Run code in paste mode (Ctrl-E), as if it was typed; return everything that the board sent, echo and all."""
        self.leave_raw()
        self._write(PASTE)
        self._read_until(b"=== ", 2.0)
        self._write_slowly(code.replace("\n", "\r").encode() + END)
        return self._read_until(b"\n" + PROMPT, timeout).decode(errors="replace")

    def leave_raw(self) -> None:
        """Go back to the friendly prompt, for people."""
        if self._raw:
            self._write(b"\r" + FRIENDLY)
            self._read_until(PROMPT, 2.0)
            self._raw = False

    def restart(self) -> None:
        """Start the board's program again (Ctrl-D at the friendly prompt)."""
        self.leave_raw()
        self._write(END)

    # -- files

    def list(self, folder: str = FLASH_FOLDER) -> tuple[RemoteFile, ...]:
        """The files of a folder with their sizes."""
        printed = self.run(
            f"import uos\nfor n in uos.listdir({folder!r}):\n print(uos.stat({folder!r} + '/' + n)[6], n)\n"
        )
        rows = (line.split(" ", 1) for line in printed.splitlines() if line)
        return tuple(RemoteFile(name=name, size=int(size)) for size, name in rows)

    def push(self, data: bytes, path: str, told: Callable[[float], None] = lambda _: None) -> None:
        """Write a file onto the board: beside its place first, then compared, then renamed."""
        beside = path + ".new"
        self.run(f"import ubinascii\nf = open({beside!r}, 'wb')\n")
        for at in range(0, len(data), CHUNK_BYTES):
            chunk = base64.b64encode(data[at : at + CHUNK_BYTES]).decode()
            self.run(f"f.write(ubinascii.a2b_base64({chunk!r}))\n")
            told(at / len(data))
        self.run("f.close()\n")
        self._compare(beside, data)
        self.run(f"import uos\ntry:\n uos.remove({path!r})\nexcept OSError:\n pass\nuos.rename({beside!r}, {path!r})\n")
        told(1.0)

    def pull(self, path: str) -> bytes:
        """Read a file from the board, compared with what is there."""
        printed = self.run(
            f"import ubinascii\nf = open({path!r}, 'rb')\nwhile True:\n b = f.read({CHUNK_BYTES})\n"
            " if not b:\n  break\n print(ubinascii.b2a_base64(b).decode().strip())\nf.close()\n",
            timeout=120.0,
        )
        data = b"".join(base64.b64decode(line) for line in printed.split())
        self._compare(path, data)
        return data

    def _compare(self, path: str, data: bytes) -> None:
        """By SHA-256; by size alone where the firmware has no uhashlib."""
        found = self.run(
            "import ubinascii, uos\ntry:\n import uhashlib\n h = uhashlib.sha256()\nexcept ImportError:\n h = None\n"
            f"f = open({path!r}, 'rb')\nwhile h:\n b = f.read(1024)\n if not b:\n  break\n h.update(b)\nf.close()\n"
            f"print(uos.stat({path!r})[6], ubinascii.hexlify(h.digest()).decode() if h else '-')\n",
            timeout=60.0,
        ).split()
        if found not in ([str(len(data)), hashlib.sha256(data).hexdigest()], [str(len(data)), "-"]):
            raise DeviceError(f"{path} on the board is not what was sent ({len(data):,} bytes). Try again.")

    # -- rescue

    def rescue(self, told: Callable[[str], None] = lambda _: None, *, seconds: float = 8.0) -> tuple[str, ...]:
        """Restart the board, stop its start-up script before it takes over, and put start-up files out of the way.

        Returns the new names. Ctrl-C is sent without pause while the board starts; where the reset lines are not
        connected, the user is asked to press RESET.
        """
        told("restarting the board; if nothing happens, press its RESET button or plug it in again")
        self._restart_by_lines()
        self._raw = False
        until = self._clock.now() + seconds
        heard = b""
        while self._clock.now() < until and PROMPT not in heard:
            self._write(INTERRUPT)
            heard = (heard + self._read(0.05))[-4096:]
        if PROMPT not in heard:
            raise DeviceError(
                "The start-up script cannot be stopped with Ctrl-C. Put the board into boot mode and empty its file "
                "system (everything in /flash is lost): k210kit terminal --wipe-files"
            )
        self.attach()
        return tuple(moved for name in START_FILES if (moved := self._put_aside(name)))

    def _put_aside(self, name: str) -> str:
        code = (
            f"import uos\nhere = uos.listdir({FLASH_FOLDER!r})\nif {name!r} in here:\n i = 1\n"
            f" while {name!r} + '.broken%d' % i in here:\n  i += 1\n"
            f" uos.rename({FLASH_FOLDER!r} + '/' + {name!r}, {FLASH_FOLDER!r} + '/' + {name!r} + '.broken%d' % i)\n"
            f" print({FLASH_FOLDER!r} + '/' + {name!r} + '.broken%d' % i)\n"
        )
        return self.run(code).strip()

    def _restart_by_lines(self) -> None:
        """Try each way of restarting; a port without lines (Bluetooth, a pseudo-terminal) refuses, which is no harm."""
        for sequence in SEQUENCES.values():
            for step in (*sequence.to_boot, RELEASED):
                try:
                    self._port.dtr, self._port.rts = step.dtr, step.rts
                except PORT_FAULTS:
                    return
                self._clock.sleep(step.seconds)

    # -- bytes

    def _enter_raw(self) -> None:
        if self._raw:
            return
        self._drain()
        self._write(b"\r" + RAW)
        heard = self._read_until(RAW_GREETING, 2.0)
        if not heard.endswith(RAW_GREETING):
            raise DeviceError(f"The board has no raw REPL (it sent {heard[-60:]!r}). MaixPy and MicroPython have one.")
        self._raw = True

    def _write_slowly(self, data: bytes) -> None:
        for at in range(0, len(data), SLICE_BYTES):
            self._write(data[at : at + SLICE_BYTES])
            self._clock.sleep(SLICE_SECONDS)

    def _read_until(self, mark: bytes, timeout: float) -> bytes:
        """Read up to and with `mark`, or what came until the time is over."""
        heard = bytearray()
        until = self._clock.now() + timeout
        while not heard.endswith(mark) and self._clock.now() < until:
            byte = self._read(min(0.1, max(until - self._clock.now(), 0.0)), most=1)
            heard += byte
        return bytes(heard)

    def _drain(self) -> None:
        while self._read(0.05):
            pass

    def _write(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except PORT_FAULTS as error:
            raise PortLost(f"The port went away ({error}). Plug the board in again.") from error

    def _read(self, timeout: float, most: int = 4096) -> bytes:
        try:
            self._port.timeout = timeout
            return self._port.read(max(1, min(self._port.in_waiting, most)))
        except PORT_FAULTS as error:
            raise PortLost(f"The port went away ({error}). Plug the board in again.") from error
