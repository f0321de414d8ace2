"""The picture link on a serial line, camera to receiver and commands back; nothing in here opens a port.

The protocol's page is docs/reference/link-protocol.md, written from the declarations in `frames` and `messages`.
"""

from __future__ import annotations

from k210kit.link.frames import MOST_PAYLOAD, OVERHEAD, Counts, Decoder, Encoder, Frame, Kind
from k210kit.link.messages import Answer, CapabilityRecord, CommandKind, Detection, Detections
from k210kit.link.receiver import CameraSays, Event, Receiver, Shown
from k210kit.link.sender import Sender, legacy_frame
from k210kit.link.speed import FIRST_BAUD, SPEEDS
from k210kit.link.steering import Steering

__all__ = [
    "FIRST_BAUD", "MOST_PAYLOAD", "OVERHEAD", "SPEEDS", "Answer", "CameraSays", "CapabilityRecord", "CommandKind",
    "Counts", "Decoder", "Detection", "Detections", "Encoder", "Event", "Frame", "Kind", "Receiver", "Sender", "Shown",
    "Steering", "legacy_frame",
]  # fmt: skip
