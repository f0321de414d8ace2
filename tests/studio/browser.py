"""A headless Chromium, steered over its debugging port; only what the tests of the page need."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import connect


def chromium() -> str | None:
    """Where it is, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One page."""

    def __init__(self, address: str, width: int = 1200, height: int = 760) -> None:
        program = chromium()
        assert program is not None
        self._home = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             f"--window-size={width},{height}", "--remote-debugging-port=0", f"--user-data-dir={self._home.name}",
             "--remote-allow-origins=*", address],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._number = 0
        self._open = ExitStack()
        self._wire = self._open.enter_context(connect(self._page(address), max_size=None))

    def _page(self, address: str) -> str:
        place = Path(self._home.name) / "DevToolsActivePort"
        until = time.monotonic() + 30
        while time.monotonic() < until:
            if place.exists() and (text := place.read_text().split()):
                with urllib.request.urlopen(f"http://127.0.0.1:{text[0]}/json") as answer:
                    for page in json.load(answer):
                        if page["type"] == "page" and page["url"].startswith(address):
                            return str(page["webSocketDebuggerUrl"])
            time.sleep(0.1)
        raise TimeoutError("Chromium has not opened the page in 30 s")

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._wire.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._wire.recv(timeout=20))
            if answer.get("id") == self._number:
                return answer["result"]

    def value(self, script: str) -> Any:
        """What a JavaScript expression is; promises are waited for."""
        answer = self._call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 15) -> Any:
        """Ask until the expression is true; returns its value."""
        until = time.monotonic() + seconds
        while not (value := self.value(script)):
            assert time.monotonic() < until, f"never true in {seconds} s: {script}"
            time.sleep(0.1)
        return value

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", format="png")["data"]))

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()
        self._process.terminate()
        self._process.wait()
        self._home.cleanup()
