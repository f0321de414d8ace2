"""The LCD as a live page in a browser: `http:PORT`."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.screens import png
from k210kit.errors import DeviceError

__all__ = ["LivePage"]

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>LCD</title>
<style>body{margin:0;background:#222;color:#ccc;font:14px sans-serif;text-align:center}
img{margin-top:4vh;width:min(90vw,120vh);image-rendering:pixelated;border:8px solid #000;border-radius:8px}</style>
<img id="lcd" alt="the LCD of the emulated board"><p id="when">waiting for the first picture</p>
<script>
async function next(last){
  const answer = await fetch("lcd.png?after=" + last);
  if (answer.status === 200) {
    const picture = await answer.blob(), shown = document.getElementById("lcd");
    URL.revokeObjectURL(shown.src); shown.src = URL.createObjectURL(picture);
    last = Number(answer.headers.get("X-Number"));
    document.getElementById("when").textContent = "picture " + last + ", " + answer.headers.get("X-Seconds") + " s";
  }
  next(last);
}
next(0);
</script></html>
"""


class LivePage:
    """Serves the newest picture; each browser asks for the next one and waits."""

    def __init__(self, port: int) -> None:
        self._changed = threading.Condition()
        self._pixels: NDArray[np.uint16] | None = None
        self._number, self._seconds = 0, 0.0
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page._answer(self)

            def log_message(self, *_: object) -> None:
                return None

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as failure:
            raise DeviceError(f"TCP port {port} cannot be opened: {failure.strerror}. Choose another.") from None
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def show(self, pixels: NDArray[np.uint16], seconds: float) -> None:
        with self._changed:
            self._pixels, self._seconds = pixels.copy(), seconds
            self._number += 1
            self._changed.notify_all()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.partition("?")
        if path == "/":
            _reply(request, 200, "text/html; charset=utf-8", _PAGE.encode(), {})
        elif path == "/lcd.png":
            after = query.removeprefix("after=")
            self._send_next(request, int(after) if after.isdigit() else 0)
        else:
            _reply(request, 404, "text/plain", b"There is only the page and lcd.png.\n", {})

    def _send_next(self, request: BaseHTTPRequestHandler, after: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._number > after, timeout=10)
            pixels, number, seconds = self._pixels, self._number, self._seconds
        if pixels is None or number <= after:
            _reply(request, 204, "text/plain", b"", {})
            return
        _reply(request, 200, "image/png", png(pixels), {"X-Number": str(number), "X-Seconds": f"{seconds:.2f}"})


def _reply(request: BaseHTTPRequestHandler, status: int, kind: str, body: bytes, headers: dict[str, str]) -> None:
    try:
        request.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
        }.items():
            request.send_header(name, value)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
    except (BrokenPipeError, ConnectionResetError):
        return  # the browser has left
