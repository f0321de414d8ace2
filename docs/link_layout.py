"""The link's layout for the C++ receiver, written from the declarations in k210kit.link."""

from __future__ import annotations

from enum import IntEnum

from k210kit.link import frames, messages, speed
from k210kit.wire import fields, size

__all__ = ["header"]

_RECORDS = {
    "Header": frames.Header,
    "Picture": messages.PictureRecord,
    "Detections": messages.DetectionsRecord,
    "Box": messages.BoxRecord,
    "Command": messages.CommandRecord,
    "Answer": messages.Answer,
    "Capability": messages.CapabilityRecord,
}


def header() -> str:
    """The whole of receivers/stickc_plus/layout.h."""
    lines = ["// Written by `python -m docs.generate` from src/k210kit/link; do not edit.", "#pragma once",
             "#include <stdint.h>", "", "namespace layout {", ""]  # fmt: skip
    lines.append(f"const uint8_t kSync[2] = {{{', '.join(f'0x{byte:02x}' for byte in frames.SYNC)}}};")
    lines.append(f"const uint8_t kVersion = {frames.VERSION};")
    lines.append(f"const int kOverhead = {frames.OVERHEAD};")
    lines += ["", _enumeration("Kind", frames.Kind), _enumeration("CommandKind", messages.CommandKind)]
    for name, record in _RECORDS.items():
        lines += [f"namespace {name} {{  // offsets in bytes", f"const int kSize = {size(record)};"]
        places = {f.offset: f for f in fields(record)}
        lines += [f"const int {f.name} = {f.offset};  // {f.unit_bytes} bytes" for f in places.values()]
        lines += [f"}}  // namespace {name}", ""]
    lines += [
        f"const uint32_t kSpeeds[] = {{{', '.join(str(rate) for rate in speed.SPEEDS)}}};",
        f"const uint32_t kFirstBaud = {speed.FIRST_BAUD};",
        f"const uint32_t kReceiverPatienceMs = {round(speed.RECEIVER_PATIENCE * 1000)};",
        f"const uint32_t kKeepEveryMs = {round(speed.KEEP_EVERY * 1000)};",
        f"const uint32_t kAnswerPatienceMs = {round(speed.ANSWER_PATIENCE * 1000)};",
        f"const int kAskTimes = {speed.ASK_TIMES};",
        f"const int kWindow = {speed.WINDOW};",
        f"const int kBadPercent = {round(speed.BAD_SHARE * 100)};",
        "",
        "}  // namespace layout",
    ]
    return "\n".join(lines) + "\n"


def _enumeration(name: str, members: type[IntEnum]) -> str:
    body = "\n".join(f"  k{name}{member.name.title().replace('_', '')} = {member.value}," for member in members)
    return f"enum {name} : uint8_t {{\n{body}\n}};\n"
