"""What other systems lack (Windows: terminals, process groups, signals) keeps no module from being imported.

What is really not to be had there says so when it is asked for; macOS lacks `os.sched_getaffinity` and /proc.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

# NumPy and what else looks at the real system come first; then the names of POSIX vanish
PROBE = """
import importlib, os, pkgutil, signal, sys
import numba, numpy, PIL.Image, rich, threadpoolctl, typer
import asyncio, concurrent.futures, http.server, multiprocessing, platform, socket, ssl, subprocess, tempfile
for name in ("h5py", "onnx", "starlette", "uvicorn", "websockets", "serial", "cv2"):
    try: importlib.import_module(name)
    except ImportError: pass
ABSENT = "pty termios fcntl resource tty pwd grp syslog readline curses".split()
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name in ABSENT: raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Absent())
for name in ABSENT: sys.modules.pop(name, None)
for name in ("fork forkpty getuid geteuid getgid openpty ttyname uname statvfs nice killpg setsid getpgid getloadavg "
             "mkfifo sched_getaffinity O_NOCTTY O_NONBLOCK pread pwrite fchmod chown").split():
    if hasattr(os, name): delattr(os, name)
for name in "SIGKILL SIGHUP SIGALRM SIGWINCH SIGQUIT SIGUSR1 SIGUSR2 SIGCHLD setitimer alarm pause".split():
    if hasattr(signal, name): delattr(signal, name)
import k210kit
"""
EVERYTHING = """
count = 0
for module in pkgutil.walk_packages(k210kit.__path__, "k210kit."):
    importlib.import_module(module.name)
    count += 1
assert count > 200, count
"""
SAYS_SO = """
from k210kit.errors import InputError
def said(what, *arguments):
    try: what(*arguments)
    except InputError as error: print(error)
from k210kit.emulator.ports import PtyEndpoint
said(PtyEndpoint)
from k210kit.kmodel.arithmetic.threads import workers
assert workers() >= 1
"""


def _run(*code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROBE + "".join(code)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.slow
def test_every_module_can_be_imported_without_what_only_posix_has() -> None:
    assert _run(EVERYTHING) == ""


def test_what_is_not_to_be_had_there_says_so() -> None:
    assert _run(SAYS_SO) == "This system has no pseudo terminals. Use tcp:PORT instead of pty.\n"
