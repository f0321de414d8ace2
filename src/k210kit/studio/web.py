"""The live page: Starlette and a WebSocket, on this computer alone unless asked otherwise.

A request passes only if its Host is an address the page was bound to, and a WebSocket only if its Origin is this very
page: another page in the same browser can neither look nor steer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from k210kit.errors import DeviceError, InputError, MissingExtraError
from k210kit.link import CapabilityRecord, CommandKind
from k210kit.studio.album import Album, checked_label
from k210kit.studio.viewer import Seen, Viewer

__all__ = ["Page"]

_FOLDER = Path(__file__).resolve().parent / "page"
_FILES = {"/": ("index.html", "text/html; charset=utf-8"), "/viewer.js": ("viewer.js", "text/javascript"),
          "/viewer.css": ("viewer.css", "text/css")}  # fmt: skip
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_WAITING = 2  # messages kept for a browser that is slower than the camera
_LIMITS = {"quality": (CommandKind.QUALITY, 0, 100), "baud": (CommandKind.BAUD, 9_600, 5_000_000),
           "pause": (CommandKind.PAUSE, 0, 1), "rate": (CommandKind.RATE, 1, 1000)}  # fmt: skip

ASGI = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]  # Any: the ASGI specification's own dictionaries


class Page:
    """An audience that shows the stream in browsers. `address` is where."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", album: Album | None = None) -> None:
        self._uvicorn = _need("uvicorn")
        self._album = album
        self._host = host
        self._viewer: Viewer | None = None
        self._last: Seen | None = None
        self._camera: dict[str, object] = {}
        self._waiting: set[asyncio.Queue[bytes | str]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._socket = _bound(host, port)
        bound = self._socket.getsockname()[1]
        self.address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{bound}/"
        config = self._uvicorn.Config(
            _guarded(self._app(), host),
            log_config=None,  # its own closes every log handler of the process
            log_level="error",
            lifespan="off",
            ws_max_size=65536,
        )
        self._server = self._uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def start(self, viewer: Viewer) -> None:
        """Serve; the page's controls steer `viewer`."""
        self._viewer = viewer
        self._thread.start()

    def close(self) -> None:
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(3)
        self._socket.close()

    def picture(self, seen: Seen) -> None:
        self._last = seen
        found = seen.detections
        head = {
            **asdict(seen.figures),
            "width": seen.image.width,
            "height": seen.image.height,
            "boxes": [asdict(box) for box in found.boxes] if found else [],
            "boxes_width": found.width if found else 1,
            "boxes_height": found.height if found else 1,
            "saved": self._album.saved if self._album else 0,
        }
        text = json.dumps(head).encode()
        self._send(struct.pack("<I", len(text)) + text + seen.jpeg)

    def news(self, text: str) -> None:
        self._send(json.dumps({"news": text}))

    def camera(self, record: CapabilityRecord, name: str) -> None:
        self._camera = {"name": name, **asdict(record)}
        self._send(json.dumps({"camera": self._camera}))

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])

    def _send(self, message: bytes | str) -> None:
        if self._loop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._enqueue, message)

    def _enqueue(self, message: bytes | str) -> None:
        for waiting in self._waiting:
            while waiting.qsize() >= _WAITING and isinstance(message, bytes):
                waiting.get_nowait()
            waiting.put_nowait(message)

    def _app(self) -> ASGI:
        from starlette.applications import Starlette
        from starlette.requests import Request
        from starlette.responses import Response
        from starlette.routing import Route, WebSocketRoute

        async def file(request: Request) -> Response:
            name, kind = _FILES[request.url.path]
            return Response((_FOLDER / name).read_bytes(), media_type=kind, headers=_HEADERS)

        routes = [Route(path, file) for path in _FILES]
        return Starlette(routes=[*routes, WebSocketRoute("/stream", self._stream)])

    async def _stream(self, browser: Any) -> None:  # Any: starlette's WebSocket, which is imported only when served
        await browser.accept()
        waiting: asyncio.Queue[bytes | str] = asyncio.Queue()
        self._waiting.add(waiting)
        await browser.send_text(json.dumps({"album": str(self._album.folder) if self._album else None,
                                            "camera": self._camera or None}))  # fmt: skip
        sender = asyncio.create_task(_forward(waiting, browser))
        try:
            async for text in browser.iter_text():
                if reply := self._obey(text):
                    await waiting.put(json.dumps(reply))
        finally:
            self._waiting.discard(waiting)
            sender.cancel()

    def _obey(self, text: str) -> dict[str, object] | None:
        """Carry out what a browser asks for; the reply is for that browser alone."""
        try:
            wish = json.loads(text)
            what, value = wish["do"], wish.get("value")
            if what in _LIMITS:
                self._command(what, value)
                return None
            if what == "save":
                return self._save(str(wish.get("label", "")))
            if what == "record" and self._album is not None:
                self._album.label = checked_label(str(wish["label"])) if wish.get("label") else ""
                self._album.recording = bool(value)
                return {"recording": self._album.recording, "label": self._album.label}
        except (InputError, OSError) as error:
            return {"news": str(error)}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"news": "The page sent something that is not understood. Reload it."}
        return {"news": f"{str(what)[:40]!r} cannot be done here."}

    def _command(self, what: str, value: Any) -> None:  # Any: JSON
        command, least, most = _LIMITS[what]
        if not isinstance(value, int) or not least <= value <= most:
            raise InputError(f"{what} is {value!r}; it must be {least} to {most}.")
        if self._viewer is not None:
            self._viewer.command(command, value)

    def _save(self, label: str) -> dict[str, object]:
        if self._album is None:
            raise InputError("Nothing can be saved: start `k210kit view` with --save FOLDER.")
        if self._last is None:
            raise InputError("No picture has come yet.")
        return {"saved": self._album.saved + 1, "path": str(self._album.save(self._last, label))}


async def _forward(waiting: asyncio.Queue[bytes | str], browser: Any) -> None:  # Any: starlette's WebSocket
    while True:
        message = await waiting.get()
        if isinstance(message, bytes):
            await browser.send_bytes(message)
        else:
            await browser.send_text(message)


def _need(name: str) -> Any:  # Any: a library that is imported only here
    import importlib

    for library in (name, "starlette", "websockets"):
        try:
            importlib.import_module(library)
        except ImportError:
            raise MissingExtraError(library, extra="studio", purpose="the live page") from None
    return importlib.import_module(name)


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen()
    except OSError as failure:
        made.close()
        raise DeviceError(f"The page cannot be served at {host}:{port}: {failure.strerror}. Choose another.") from None
    return made


def _guarded(app: ASGI, host: str) -> ASGI:
    """Refuse foreign Hosts and Origins before the application sees them."""

    async def guard(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ())}
        asked = headers.get("host", "")
        good = _host_is_ours(asked, host)
        if scope["type"] == "websocket":
            good = good and headers.get("origin") == f"http://{asked}"
        if good:
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = b"This page is for this computer alone.\n"
            await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": body})

    return guard


def _host_is_ours(asked: str, bound: str) -> bool:
    """Loopback always; when bound to more, any address written as numbers, and the name that was bound."""
    name = asked.rpartition(":")[0] if asked.rpartition(":")[2].isdigit() else asked
    name = name.strip("[]")
    if name == "localhost" or name == bound:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or bound not in ("127.0.0.1", "localhost", "::1")
