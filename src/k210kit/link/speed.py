"""How both ends agree on a faster line, and how they find each other again when it is bad.

    receiver                                camera
    BAUD 1500000            ──────────▶
                            ◀──────────     ANSWER BAUD, accepted       both change their speed
                            ◀──────────     pictures at the new speed
    CONFIRM 1500000         ──────────▶     stays
    KEEP, every second      ──────────▶     stays

Without CONFIRM or KEEP the camera goes back to the first speed after `CAMERA_PATIENCE`; without frames the receiver
does after `RECEIVER_PATIENCE`. So after any restart or bad line both meet at the first speed within five seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from k210kit.link.messages import CommandKind, write_command

__all__ = ["FIRST_BAUD", "SPEEDS", "CameraSpeed", "ReceiverSpeed"]

FIRST_BAUD = 115_200
SPEEDS = (115_200, 460_800, 921_600, 1_500_000)
CAMERA_PATIENCE = 3.0  # seconds above the first speed without a word from the receiver
RECEIVER_PATIENCE = 3.5  # seconds above the first speed without a frame
KEEP_EVERY = 1.0
ANSWER_PATIENCE = 1.0
ASK_TIMES = 3
WINDOW = 40  # frames over which the line is judged
BAD_SHARE = 0.2


@dataclass
class CameraSpeed:
    """The camera's side: call `heard` for every command, `tick` regularly; `baud` is the speed to use now."""

    first: int = FIRST_BAUD
    most: int = SPEEDS[-1]
    baud: int = 0
    _heard: float = 0.0

    def __post_init__(self) -> None:
        self.baud = self.baud or self.first

    def accepts(self, baud: int) -> bool:
        return 9_600 <= baud <= self.most

    def change(self, baud: int, now: float) -> None:
        """The answer has left the wire: use `baud` from now on."""
        self.baud, self._heard = baud, now

    def heard(self, now: float) -> None:
        self._heard = now

    def tick(self, now: float) -> None:
        if self.baud != self.first and now - self._heard > CAMERA_PATIENCE:
            self.baud = self.first


@dataclass
class ReceiverSpeed:
    """The receiver's side; `output` collects COMMAND payloads to send, `baud` is the speed to use now."""

    first: int = FIRST_BAUD
    baud: int = 0
    output: list[bytes] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _wanted: int = 0
    _asked: int = 0
    _asked_at: float = 0.0
    _frame_at: float = 0.0
    _keep_at: float = 0.0
    _trying: bool = False
    _judged: deque[bool] = field(default_factory=lambda: deque(maxlen=WINDOW))

    def __post_init__(self) -> None:
        self.baud = self.baud or self.first

    def ask(self, baud: int, now: float) -> None:
        """Wish for another speed."""
        self._wanted, self._asked = baud, 0
        self._ask(now)

    def _ask(self, now: float) -> None:
        self._asked, self._asked_at = self._asked + 1, now
        self.output.append(write_command(CommandKind.BAUD, self._wanted))

    def answered(self, accepted: bool, baud: int, now: float) -> None:
        """The camera's ANSWER to BAUD."""
        if not self._wanted:
            return
        if accepted and baud == self._wanted:
            self.baud, self._trying, self._frame_at, self._keep_at = baud, baud != self.first, now, now
            self._judged.clear()
        else:
            self.faults.append(f"The camera does not take {self._wanted:,} baud; it stays at {self.baud:,}.")
        self._wanted = 0

    def frame(self, now: float, *, damaged: int = 0) -> None:
        """A whole frame came, and before it `damaged` broken ones."""
        self._frame_at = now
        self._judged.extend([False] * damaged + [True])
        if self._trying:
            self._trying = False
            self.output.append(write_command(CommandKind.CONFIRM, self.baud))

    def tick(self, now: float) -> None:
        if self._wanted and now - self._asked_at > ANSWER_PATIENCE:
            if self._asked < ASK_TIMES:
                self._ask(now)
            else:
                self.faults.append(f"The camera gives no answer to {self._wanted:,} baud; it stays at {self.baud:,}.")
                self._wanted = 0
        if self.baud == self.first:
            return
        if now - self._frame_at > RECEIVER_PATIENCE:
            self.faults.append(f"No frame at {self.baud:,} baud for {RECEIVER_PATIENCE:g} s; back to {self.first:,}.")
            self.baud, self._trying, self._wanted = self.first, False, 0
        elif now - self._keep_at >= KEEP_EVERY:
            self._keep_at = now
            self.output.append(write_command(CommandKind.KEEP))
        self._step_down_if_bad(now)

    def _step_down_if_bad(self, now: float) -> None:
        bad = self._judged.count(False)
        if self.baud == self.first or self._wanted or len(self._judged) < WINDOW or bad < BAD_SHARE * WINDOW:
            return
        lower = max((speed for speed in SPEEDS if speed < self.baud), default=self.first)
        self.faults.append(f"{bad} of {WINDOW} frames are damaged at {self.baud:,} baud; going down to {lower:,}.")
        self._judged.clear()
        self.ask(lower, now)
