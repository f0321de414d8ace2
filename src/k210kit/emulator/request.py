"""What a run shall be, as plain values that travel to the process in which the script runs."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

__all__ = ["RunRequest"]


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A script, or a folder that is the board's card, and what is around the board."""

    script: str
    board: str = "unitv"
    firmware: str | None = None
    camera: str = "pattern"
    flash: tuple[str, ...] = ()  # ADDRESS=FILE, or one raw image of the whole chip
    sd: str | None = None
    uart: tuple[str, ...] = ()  # UART1=pty and so on; without a name every port
    lcd: str | None = None  # a folder, http:PORT, or terminal
    pins: str | None = None  # a timeline file
    keys: str | None = None  # buttons by the keyboard: `auto`, or a=18,b=19
    frames: int | None = None
    seconds: float | None = None
    fast: bool = False
    realtime: bool = False
    gc_heap: int | None = None
    interactive: bool = False

    @property
    def in_step(self) -> bool:
        """Whether the board's time shall not run ahead of the clock on the wall: when someone watches or talks."""
        live = (self.lcd or "").startswith(("http:", "terminal")) or self._camera_is_live or self.takes_input
        talks = any(part.rpartition("=")[2].startswith(("pty", "tcp:")) for part in self.uart)
        return self.realtime or (not self.fast and (live or talks))

    @property
    def takes_input(self) -> bool:
        """Whether the run reads the keyboard."""
        return self.interactive or self.keys is not None

    @property
    def _camera_is_live(self) -> bool:
        return self.camera.isdigit() or self.camera.startswith("tcp:")

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RunRequest:
        values: dict[str, Any] = json.loads(text)  # Any: JSON, written by `to_json`
        return cls(**{**values, "flash": tuple(values["flash"]), "uart": tuple(values["uart"])})
