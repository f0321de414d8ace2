"""The firmware's own baseline JPEG encoder, bit for bit.

What makes its files differ from libjpeg's, and why an existing encoder cannot stand in for it: the forward DCT is the
AAN flow graph with 8-bit fixed-point factors, coefficients are truncated instead of rounded, chroma is subsampled by
dropping pixels, missing pixels at the right and bottom are black, and each of the two cores encodes half of the rows.
The size of the picture that goes over the UART depends on all of it. Source: `omv/img/jpeg.c` (v0.6.2-84).

Quantisation and Huffman tables are those of ITU-T T.81 Annex K. Quality 60 and up keeps all chroma, above 35 half
of the columns, below half of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .frame import Frame
from .pixels import Format, yuv_table

__all__ = ["encode"]

Ints = NDArray[Any]  # of 32 or 64 bits

# T.81 tables K.1 and K.2, in rows
_LUMA = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
_CHROMA = "17 18 24 47 18 21 26 66 24 26 56 99 47 66 99 99"  # the upper left quarter; 99 elsewhere

# T.81 tables K.3 to K.6: how many codes of each length 1..16, and their symbols
_DC_COUNTS = ("00010501010101010100000000000000", "00030101010101010101010000000000")
_AC_COUNTS = ("0002010303020403050504040000017d", "00020102040403040705040400010277")
_AC_SYMBOLS = (
    "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738"
    "393a434445464748494a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5"
    "a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    "000102031104052131061241510761711322328108144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a353637"
    "38393a434445464748494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999aa2a3"
    "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
)

# The AAN output scale factors: 1, then sqrt(2) cos(k pi / 16)
_SCALES = np.array([1.0] + [np.sqrt(2) * np.cos(k * np.pi / 16) for k in range(1, 8)], np.float32)


@dataclass(frozen=True)
class _Plan:
    """How a picture is cut: the size of an MCU, and which component each of its blocks belongs to."""

    mcu_width: int
    mcu_height: int
    blocks: tuple[int, ...]  # component of each block of an MCU
    sampling: int  # the header's byte for luma

    @property
    def components(self) -> int:
        return max(self.blocks) + 1


_GRAY = _Plan(8, 8, (0,), 0x11)
_FULL = _Plan(8, 8, (0, 1, 2), 0x11)
_HALF_COLUMNS = _Plan(16, 8, (0, 0, 1, 2), 0x21)
_HALF_BOTH = _Plan(16, 16, (0, 0, 0, 0, 1, 2), 0x22)


def _plan(frame: Frame, quality: int) -> _Plan:
    if frame.format is not Format.RGB565:
        return _GRAY
    if quality >= 60:
        return _FULL
    return _HALF_COLUMNS if quality > 35 else _HALF_BOTH


@cache
def _zigzag() -> Ints:
    """Place in a block (row * 8 + column) of each coefficient in zigzag order."""
    return np.array(sorted(range(64), key=lambda i: (i // 8 + i % 8, _zigzag_rank(i // 8, i % 8))))


def _zigzag_rank(row: int, column: int) -> int:
    return row if (row + column) % 2 else column


@cache
def _quantisers(quality: int) -> tuple[Ints, Ints]:
    """The luma and chroma tables of a quality, in zigzag order."""
    factor = 5000 // quality if quality < 50 else 200 - quality * 2
    corner = np.full((8, 8), 99)
    corner[:4, :4] = np.array([int(n) for n in _CHROMA.split()]).reshape(4, 4)
    luma = np.array([int(n) for n in _LUMA.split()])
    tables = [np.clip((table * factor + 50) // 100, 1, 255)[_zigzag()] for table in (luma, corner.ravel())]
    return tables[0], tables[1]


@cache
def _codes(counts: str, symbols: str) -> tuple[Ints, Ints]:
    """Code and length of each symbol 0..255, after T.81 Annex C; length 0 where there is none."""
    values, lengths, code = np.zeros(256, np.int64), np.zeros(256, np.int64), 0
    listed = iter(bytes.fromhex(symbols))
    for length, count in enumerate(bytes.fromhex(counts), start=1):
        for _ in range(count):
            symbol = next(listed)
            values[symbol], lengths[symbol] = code, length
            code += 1
        code <<= 1
    return values, lengths


def _huffman(luma: bool) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
    which = 0 if luma else 1
    return _codes(_DC_COUNTS[which], bytes(range(12)).hex()), _codes(_AC_COUNTS[which], _AC_SYMBOLS[which])


def _dct_pass(b: list[Ints]) -> list[Ints]:
    """One dimension of the AAN forward DCT; factors are multiples of 1/256 and products are cut, not rounded."""
    t0, t1, t2, t3 = b[0] + b[7], b[1] + b[6], b[2] + b[5], b[3] + b[4]
    t7, t6, t5, t4 = b[0] - b[7], b[1] - b[6], b[2] - b[5], b[3] - b[4]
    even0, even3, even1, even2 = t0 + t3, t0 - t3, t1 + t2, t1 - t2
    z1 = (even2 + even3) * 181 >> 8
    odd0, odd1, odd2 = t4 + t5, t5 + t6, t6 + t7
    z5 = (odd0 - odd2) * 98 >> 8
    z2 = (odd0 * 139 >> 8) + z5
    z4 = (odd2 * 334 >> 8) + z5
    z3 = odd1 * 181 >> 8
    high, low = t7 + z3, t7 - z3
    return [even0 + even1, high + z4, even3 + z1, low - z2, even0 - even1, low + z2, even3 - z1, high - z4]


def _coefficients(blocks: NDArray[np.int8], table: Ints) -> Ints:
    """Quantised coefficients [n, 64] in zigzag order of blocks [n, 8, 8]."""
    data = blocks.astype(np.int32)
    rows = np.stack(_dct_pass([data[:, :, i] for i in range(8)]), axis=2)
    both = np.stack(_dct_pass([rows[:, i, :] for i in range(8)]), axis=1).reshape(len(blocks), 64)
    scales = np.outer(_SCALES, _SCALES).ravel()[_zigzag()]
    factors = np.float32(1.0) / (scales * table.astype(np.float32) * np.float32(8.0))
    return np.trunc(both[:, _zigzag()].astype(np.float32) * factors).astype(np.int64)


def _blocks_of(plane: NDArray[np.int8]) -> NDArray[np.int8]:
    """A plane [h, w] of whole blocks as [rows, columns, 8, 8]."""
    height, width = plane.shape
    return plane.reshape(height // 8, 8, width // 8, 8).swapaxes(1, 2)


def _mcu_blocks(frame: Frame, plan: _Plan, fast: bool) -> NDArray[np.int8]:
    """Every block [mcu rows, mcu columns, blocks of an MCU, 8, 8], pixels less 128."""
    rows, columns = -(-frame.height // plan.mcu_height), -(-frame.width // plan.mcu_width)
    pad = ((0, rows * plan.mcu_height - frame.height), (0, columns * plan.mcu_width - frame.width))
    if plan is _GRAY:
        levels = frame.data * np.uint8(255) if frame.format is Format.BINARY else frame.data
        planes = [np.pad(levels.astype(np.int16) - 128, pad).astype(np.int8)]
    else:
        words, table = np.pad(frame.data, pad), yuv_table(fast)
        down, right = plan.mcu_height // 8, plan.mcu_width // 8
        planes = [table[words, 0], *(table[words[::down, ::right], part] for part in (1, 2))]
    made = []
    for plane in planes:
        blocks = _blocks_of(plane)
        down, right = blocks.shape[0] // rows, blocks.shape[1] // columns
        made.append(blocks.reshape(rows, down, columns, right, 8, 8).swapaxes(1, 2).reshape(rows, columns, -1, 8, 8))
    return np.concatenate(made, axis=2)


def _bits(values: Ints) -> tuple[Ints, Ints]:
    """Size category of each value and the bits that tell it within the category."""
    sizes = np.frexp(np.abs(values).astype(np.float64))[1].astype(np.int64)
    sizes[values == 0] = 0
    return sizes, np.where(values < 0, values - 1, values) & ((1 << sizes) - 1)


def _symbols(coefficients: Ints, component: Ints) -> tuple[Ints, Ints]:
    """Codes and lengths, in order, of blocks [n, 64] whose DC is already a difference."""
    place, code, length = [], [], []

    def put(where: Ints, codes: Ints, lengths: Ints) -> None:
        place.append(where)
        code.append(codes)
        length.append(lengths)

    for luma in (True, False):
        chosen = np.flatnonzero((component == 0) == luma)
        if not len(chosen):
            continue
        (dc_codes, dc_lengths), (ac_codes, ac_lengths) = _huffman(luma)
        blocks = coefficients[chosen]
        sizes, extra = _bits(blocks[:, 0])
        start = chosen * 512
        put(start, dc_codes[sizes], dc_lengths[sizes])
        put(start + 1, extra, sizes)
        block, at = np.nonzero(blocks[:, 1:])
        at = at + 1
        first = np.r_[True, block[1:] != block[:-1]] if len(block) else np.zeros(0, bool)
        runs = at - np.where(first, 0, np.r_[0, at[:-1]] if len(at) else at) - 1
        sizes, extra = _bits(blocks[block, at])
        symbol = (runs % 16) << 4 | sizes
        where = start[block] + at * 8
        for nth in range(3):  # runs of sixteen zeros
            long = runs // 16 > nth
            put(where[long] + nth, np.full(long.sum(), ac_codes[0xF0]), np.full(long.sum(), ac_lengths[0xF0]))
        put(where + 3, ac_codes[symbol], ac_lengths[symbol])
        put(where + 4, extra, sizes)
        ended = blocks[:, 63] == 0
        put(start[ended] + 511, np.full(ended.sum(), ac_codes[0]), np.full(ended.sum(), ac_lengths[0]))
    order = np.argsort(np.concatenate(place), kind="stable")
    return np.concatenate(code)[order], np.concatenate(length)[order]


def _bit_string(codes: Ints, lengths: Ints) -> NDArray[np.uint8]:
    """The codes one after the other, a bit per element."""
    ends = np.cumsum(lengths)
    owner = np.repeat(np.arange(len(codes)), lengths)
    shift = ends[owner] - 1 - np.arange(int(ends[-1]) if len(ends) else 0)
    return ((codes[owner] >> shift) & 1).astype(np.uint8)


def _join(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bytes:
    """The bytes of both cores' bits, as the firmware joins them and fills up with ones.

    Two slips of the firmware are kept: the byte in which the halves meet is never stuffed, and if the halves' loose
    ends together fill a byte, the second half's share of that byte is lost (reads 0).
    """
    loose = len(first) % 8, len(second) % 8
    bits = np.concatenate([first, second])
    whole = len(bits) // 8
    if len(second) and sum(loose) >= 8:
        bits[whole * 8 - (8 - loose[0]) : whole * 8] = 0
    unstuffed = {len(first) // 8} if len(second) else set()
    if len(second) and sum(loose) >= 8:
        unstuffed.add(whole - 1)
    filled = np.concatenate([bits, np.ones(-len(bits) % 8 or 0, np.uint8)])
    data = np.packbits(filled).tobytes()
    stuffed = bytearray()
    start = 0
    for at in np.flatnonzero(np.frombuffer(data, np.uint8) == 255):
        if int(at) not in unstuffed:
            stuffed += data[start : at + 1] + b"\0"
            start = int(at) + 1
    return bytes(stuffed + data[start:])


def _differences(coefficients: Ints, component: Ints) -> None:
    """Turn each component's DC values into differences, in place."""
    for number in range(int(component.max()) + 1):
        chosen = component == number
        values = coefficients[chosen, 0]
        coefficients[chosen, 0] = np.diff(values, prepend=0)


def _marker(kind: int, body: bytes) -> bytes:
    return bytes([0xFF, kind]) + (len(body) + 2).to_bytes(2, "big") + body


def _headers(frame: Frame, plan: _Plan, quality: int) -> bytes:
    luma, chroma = _quantisers(quality)
    colored = plan.components > 1
    tables = b"\0" + bytes(luma.tolist()) + (b"\1" + bytes(chroma.tolist()) if colored else b"")
    frame_header = b"\x08" + frame.height.to_bytes(2, "big") + frame.width.to_bytes(2, "big")
    frame_header += bytes([plan.components])
    scan = bytes([plan.components])
    for number in range(plan.components):
        frame_header += bytes([number + 1, plan.sampling if number == 0 else 0x11, int(number > 0)])
        scan += bytes([number + 1, 0x11 if number else 0])
    huffman = b""
    for which in range(2 if colored else 1):
        huffman += bytes([which]) + bytes.fromhex(_DC_COUNTS[which]) + bytes(range(12))
        huffman += bytes([0x10 | which]) + bytes.fromhex(_AC_COUNTS[which] + _AC_SYMBOLS[which])
    return (
        b"\xff\xd8"
        + _marker(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
        + _marker(0xDB, tables)
        + _marker(0xC0, frame_header)
        + _marker(0xC4, huffman)
        + _marker(0xDA, scan + b"\0\x3f\0")
    )


def encode(frame: Frame, quality: int, *, fast_yuv: bool) -> bytes:
    """Compress a binary, grayscale or RGB565 frame; `fast_yuv` is the firmware's table (see `yuv_table`)."""
    plan = _plan(frame, quality)
    blocks = _mcu_blocks(frame, plan, fast_yuv)
    rows, columns = blocks.shape[:2]
    flat = blocks.reshape(-1, 8, 8)
    component = np.tile(np.array(plan.blocks), rows * columns)
    luma, chroma = _quantisers(quality)
    coefficients = np.empty((len(flat), 64), np.int64)
    for table, chosen in ((luma, component == 0), (chroma, component != 0)):
        coefficients[chosen] = _coefficients(flat[chosen], table)
    _differences(coefficients, component)
    split = len(flat) if plan is _GRAY else rows // 2 * columns * len(plan.blocks)  # where the second core begins
    halves = [
        _bit_string(*_symbols(coefficients[part], component[part])) if part.stop > part.start else np.zeros(0, np.uint8)
        for part in (slice(0, split), slice(split, len(flat)))
    ]
    return _headers(frame, plan, quality) + _join(halves[0], halves[1]) + b"\xff\xd9"
