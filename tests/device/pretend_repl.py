"""A board at its MicroPython prompt behind a pseudo-terminal: our own, for the terminal's tests.

It knows the friendly prompt with echo, the raw one, paste mode, Ctrl-C, a start-up script that never ends, and a
receive buffer that loses what is sent too fast. Code runs in Python with the board's module names; /flash is a folder
here.
"""

from __future__ import annotations

import binascii
import builtins
import contextlib
import hashlib
import io
import os
import pty
import select
import threading
import traceback
import tty
import types
from pathlib import Path
from typing import Any

BUFFER_BYTES = 1024


class PretendRepl:
    """Use as a context manager; `device` is the port's name. `stuck` is the start-up script that runs at first."""

    def __init__(self, flash: Path, *, stuck: str = "", deaf: bool = False, hashing: bool = True) -> None:
        self.flash = flash
        self.stuck = stuck
        self.deaf = deaf
        self.hashing = hashing
        self.lost = 0
        self._globals: dict[str, Any] = {}
        self._mode = "friendly"
        self._line = bytearray()
        self._stopping = threading.Event()

    def __enter__(self) -> PretendRepl:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._globals = {"__builtins__": self._builtins()}
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._master], [], [], 0.01)
            if not ready:
                continue
            data = os.read(self._master, 65536)
            self.lost += max(0, len(data) - BUFFER_BYTES)
            for byte in data[:BUFFER_BYTES]:
                self._take(bytes([byte]))

    def has_unread(self) -> bool:
        return bool(select.select([self._master], [], [], 0)[0])

    def _send(self, data: bytes) -> None:
        os.write(self._master, data)

    def _take(self, byte: bytes) -> None:
        if self.stuck:
            if byte == b"\x03" and not self.deaf:
                self.stuck = ""
                self._send(b"Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n>>> ")
            return
        if byte in (b"\x01", b"\x02", b"\x03"):
            self._control(byte)
        elif self._mode == "friendly":
            self._typed(byte)
        elif self._mode == "raw":
            self._raw(byte)
        else:
            self._pasted(byte)

    def _control(self, byte: bytes) -> None:
        self._line.clear()
        if byte == b"\x01":
            self._mode = "raw"
            self._send(b"raw REPL; CTRL-B to exit\r\n>")
        elif byte == b"\x02":
            self._mode = "friendly"
            self._send(b"\r\nMicroPython v0.6.2 on pretend; Sipeed_M1 with kendryte-k210\r\n>>> ")
        elif self._mode != "raw":
            self._mode = "friendly"
            self._send(b"\r\n>>> ")

    def _typed(self, byte: bytes) -> None:
        if byte == b"\x05":
            self._mode = "paste"
            self._send(b"\r\npaste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
        elif byte == b"\r":
            self._send(b"\r\n")
            printed, failed = self._run(bytes(self._line), "single")
            self._line.clear()
            self._send((printed + failed).replace("\n", "\r\n").encode() + b">>> ")
        else:
            self._line += byte
            self._send(byte)

    def _raw(self, byte: bytes) -> None:
        if byte != b"\x04":
            self._line += byte
            return
        code, self._line = bytes(self._line).lstrip(b"\r"), bytearray()
        self._send(b"OK")
        printed, failed = self._run(code, "exec")
        self._send(printed.replace("\n", "\r\n").encode() + b"\x04" + failed.replace("\n", "\r\n").encode() + b"\x04>")

    def _pasted(self, byte: bytes) -> None:
        if byte != b"\x04":
            self._line += byte
            self._send(b"\r\n=== " if byte == b"\r" else byte)
            return
        code, self._line, self._mode = bytes(self._line).replace(b"\r", b"\n"), bytearray(), "friendly"
        printed, failed = self._run(code, "exec")
        self._send(b"\r\n" + (printed + failed).replace("\n", "\r\n").encode() + b">>> ")

    def _run(self, code: bytes, mode: str) -> tuple[str, str]:
        out = io.StringIO()
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(code.decode(), "<stdin>", mode), self._globals)
        except Exception:
            return out.getvalue(), traceback.format_exc()
        return out.getvalue(), ""

    def _builtins(self) -> dict[str, Any]:
        def here(path: str) -> Path:
            return self.flash / path.removeprefix("/flash").lstrip("/")

        def remove(path: str) -> None:
            here(path).unlink()

        def rename(old: str, new: str) -> None:
            if here(new).exists():
                raise OSError(17, "EEXIST")  # as SPIFFS does
            here(old).rename(here(new))

        modules = {
            "uos": types.SimpleNamespace(
                listdir=lambda path: sorted(child.name for child in here(path).iterdir()),
                stat=lambda path: here(path).stat(),
                remove=remove,
                rename=rename,
            ),
            "ubinascii": binascii,
        }
        if self.hashing:
            modules["uhashlib"] = types.SimpleNamespace(sha256=hashlib.sha256)

        def imported(name: str, *_: object) -> Any:
            if name not in modules:
                raise ImportError(f"no module named '{name}'")
            return modules[name]

        return {
            **vars(builtins),
            "__import__": imported,
            "open": lambda path, mode: here(path).open(mode),
        }
