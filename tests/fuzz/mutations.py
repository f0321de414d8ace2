"""Damage to files, seeded: what the fuzz tests and the long campaigns share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

__all__ = ["damaged"]

_WORDS = (0, 1, 2, 3, 4, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)


def _byte(raw: bytearray, rng: np.random.Generator) -> bytearray:
    raw[_place(raw, rng)] = rng.integers(256)
    return raw


def _bit(raw: bytearray, rng: np.random.Generator) -> bytearray:
    raw[_place(raw, rng)] ^= 1 << int(rng.integers(8))
    return raw


def _word(raw: bytearray, rng: np.random.Generator) -> bytearray:
    at = _place(raw, rng) & ~3
    raw[at : at + 4] = int(rng.choice(_WORDS)).to_bytes(4, "little")
    return raw


def _cut(raw: bytearray, rng: np.random.Generator) -> bytearray:
    return raw[: rng.integers(len(raw))]


def _repeat(raw: bytearray, rng: np.random.Generator) -> bytearray:
    a, b = sorted(int(i) for i in rng.integers(len(raw), size=2))
    return raw[:b] + raw[a:]


def _place(raw: bytearray, rng: np.random.Generator) -> int:
    """Half of the damage goes to the first 256 bytes, where formats keep their counts."""
    return int(rng.integers(min(len(raw), 256) if rng.integers(2) else len(raw)))


_KINDS: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (_byte, _bit, _word, _word, _cut, _repeat)


def damaged(data: bytes, seed: int, count: int) -> Iterator[bytes]:
    """`count` damaged copies of `data`, each with one to four wounds."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        raw = bytearray(data)
        for _ in range(rng.integers(1, 5)):
            if raw:
                raw = _KINDS[rng.integers(len(_KINDS))](raw, rng)
        yield bytes(raw)
