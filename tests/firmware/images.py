"""MaixPy images made from the rules by which they are recognised: start-up code, texts, constants. No real code."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable

MARKS = {
    "ide": b"IDE interrupt",
    "thread": b"_thread",
    "ws2812": b"ws2812",
    "find_blobs": b"find_blobs",
    "ulab": b"ulab",
    "lvgl": b"lvgl",
    "video": b"video",
    "mic_array": b"MIC_ARRAY",
    "touch": b"touchscreen",
    "wiznet": b"WIZNET5K",
    "speech": b"speech_recognizer",
    "pye": b"pye",
    "fpioa_manager": b"fpioa_manager",
    "board": b"board_info",
}
VERSION = "v0.6.2-84-g8fcd84a58"
NOP = b"\x01\x00"


def start_code(ram_bytes: int, at: int = 0x104) -> bytes:
    """auipc tp; addi tp, tp; andi tp, tp, -64: as MaixPy computes where its stacks begin, for code at byte `at`."""
    offset = ram_bytes + 63 - at
    upper = (offset + 0x800) >> 12
    lower = offset - (upper << 12)
    return struct.pack("<III", upper << 12 | 0x217, (lower & 0xFFF) << 20 | 0x20213, 0xFC027213)


def constant(value: int, register: int = 10) -> bytes:
    """lui and addiw that load `value`, with an instruction between them."""
    upper = (value + 0x800) >> 12
    lower = value - (upper << 12)
    lui = upper << 12 | register << 7 | 0x37
    addiw = (lower & 0xFFF) << 20 | register << 15 | register << 7 | 0x1B
    return struct.pack("<I", lui) + NOP + struct.pack("<I", addiw)


def jump_and_link(offset: int) -> bytes:
    """jal ra, offset"""
    word = (
        (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3FF) << 21 | (offset >> 11 & 1) << 20 | (offset >> 12 & 0xFF) << 12
    )
    return struct.pack("<I", word | 0xEF)


PROLOGUE = bytes.fromhex("411106e4")  # addi sp, sp, -16; sd ra, 8(sp)
EPILOGUE = bytes.fromhex("a26041018280")  # ld ra, 8(sp); addi sp, sp, 16; ret
STRLEN_THAT_CALLS_ITSELF = PROLOGUE + jump_and_link(-4) + EPILOGUE
_KEEP_BYTE = bytes.fromhex("93f5f50f")  # andi a1, a1, 255
MEMSET_THAT_CALLS_ITSELF = bytes.fromhex("19c6") + PROLOGUE + _KEEP_BYTE + jump_and_link(-10) + EPILOGUE


def image(
    features: Iterable[str] = ("ide", "fpioa_manager", "board"),
    *,
    size: int = 720_640,
    ram_bytes: int = 783_296,
    version: str = VERSION,
    date: str = "2022-08-26",
    kmodel_v4: bool = False,
    sensor_hz: int = 24_000_000,
    sensor_places: int = 4,
    m5stickv: bool = False,
    code: bytes = b"",
    uname: tuple[str, str, str] | None = None,
) -> bytes:
    """A .bin with these features; `uname` is machine, version with date, and release, as os.uname() gives them."""
    out = bytearray(bytes.fromhex("21a8efbeadde0100"))
    out += bytes(0x104 - len(out)) + start_code(ram_bytes)
    out += b"".join(constant(sensor_hz, 10 + i % 6) + NOP * 20 for i in range(sensor_places))
    out += constant(26_000_000) + NOP * 20 + code + NOP * 20
    texts = [f"MicroPython {version} on {date}; Sipeed_M1 with kendryte-k210".encode()]
    if uname is not None:
        machine, text, release = (part.encode() for part in uname)
        texts = [b"x", machine + bytes(4) + text + bytes(3) + release]
    texts.append(b"only support kmodel V3/V4 now" if kmodel_v4 else b"only support kmodel V3")
    texts += [MARKS[word] for word in features]
    texts.append(b"GC heap size %d is too large, reset GC heap size")
    if m5stickv:
        texts.append(b"M5StickV by M5Stack")
    out += b"\0".join(texts) + b"\0"
    assert len(out) <= size
    return bytes(out) + bytes(size - len(out))


def wrapped(program: bytes, flag: int = 0) -> bytes:
    """The program as the boot ROM wants it."""
    body = bytes([flag]) + struct.pack("<I", len(program)) + program
    return body + hashlib.sha256(body).digest()
