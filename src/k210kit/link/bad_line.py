"""A bad line, on purpose: damage whose truth is known, to try receivers with."""

from __future__ import annotations

import random
from collections.abc import Sequence

__all__ = ["damaged", "flip_bits"]


def damaged(frames: Sequence[bytes], rng: random.Random, hits: int) -> tuple[bytes, list[int]]:
    """The frames' bytes one after another with `hits` damages, and the numbers of the frames that stayed whole.

    A damage flips a bit, drops, doubles or overwrites a stretch, inserts noise, or cuts the stream off.
    """
    stream = bytearray()
    owner: list[int] = []  # for each byte its frame; -1 for noise
    for number, frame in enumerate(frames):
        stream += frame
        owner += [number] * len(frame)
    spoiled: set[int] = set()
    for _ in range(hits):
        if stream:
            spoiled |= _hit(stream, owner, rng)
    return bytes(stream), [number for number in range(len(frames)) if number not in spoiled]


def _hit(stream: bytearray, owner: list[int], rng: random.Random) -> set[int]:
    """Damage the stream once; returns the frames that suffered."""
    start = rng.randrange(len(stream))
    end = min(start + int(rng.expovariate(1 / 30)) + 1, len(stream))
    kind = rng.randrange(6)
    if kind == 0:
        stream[start] ^= 1 << rng.randrange(8)
        return {owner[start]}
    if kind == 1:
        hit = set(owner[start:end])
        del stream[start:end], owner[start:end]
        return hit
    if kind == 2:
        old = bytes(stream[start:end])
        stream[start:end] = noise = rng.randbytes(end - start)
        return {number for number, a, b in zip(owner[start:end], old, noise, strict=True) if a != b}
    if kind == 3:
        hit = set(owner[start:])
        del stream[start:], owner[start:]
        return hit
    inserted = stream[start:end] if kind == 4 else rng.randbytes(end - start)
    cut = {owner[start]} if start and owner[start - 1] == owner[start] else set()
    if kind == 4 and end < len(owner) and owner[end - 1] == owner[end]:
        cut.add(owner[end])
    stream[start:start] = inserted
    owner[start:start] = [-1] * len(inserted)
    return cut


def flip_bits(stream: bytes, rng: random.Random, rate: float) -> tuple[bytes, set[int]]:
    """Each bit flipped with probability `rate`; returns the stream and the positions of the bytes that changed."""
    changed = bytearray(stream)
    places: set[int] = set()
    at = int(rng.expovariate(rate))
    while at < 8 * len(stream):
        changed[at >> 3] ^= 1 << (at & 7)
        places.add(at >> 3)
        at += 1 + int(rng.expovariate(rate))
    return bytes(changed), places
