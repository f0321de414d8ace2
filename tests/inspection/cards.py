"""Images of SD cards for tests, written plainly after Microsoft's description of FAT."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["card"]

CLUSTERS = {12: 400, 16: 5000, 32: 66000}
RESERVED = 32  # sectors before the table


@dataclass
class _Clusters:
    """What is stored: content and follower of each cluster; files lie in every second place."""

    end: int
    content: dict[int, bytes] = field(default_factory=dict)
    follower: dict[int, int] = field(default_factory=dict)

    def store(self, data: bytes) -> int:
        """Put data into clusters of one sector; the first one's number."""
        start = 3 + 2 * len(self.content)
        places = [start + 2 * k for k in range(max(1, -(-len(data) // 512)))]
        for number, place in enumerate(places):
            self.content[place] = data[number * 512 : number * 512 + 512].ljust(512, b"\0")
            self.follower[place] = places[number + 1] if number + 1 < len(places) else self.end
        return places[0]

    def table(self, bits: int, sectors: int) -> bytes:
        """The file allocation table."""
        packed = bytearray(sectors * 512)
        for place, following in self.follower.items():
            if bits == 12:
                at = place * 3 // 2
                (old,) = struct.unpack_from("<H", packed, at)
                struct.pack_into("<H", packed, at, old | (following << 4 if place & 1 else following))
            else:
                struct.pack_into("<H" if bits == 16 else "<I", packed, place * bits // 8, following)
        return bytes(packed)


def _entry(name: str, kind: int, cluster: int, size: int, long_name: bool) -> bytes:
    stem, _, extension = name.partition(".")
    short = f"{stem[:8]:<8}{extension[:3]:<3}".encode()
    row = struct.pack("<11sBB7xH4xHI", short, kind, 0, cluster >> 16, cluster & 0xFFFF, size)
    if not long_name:
        return row
    text = f"long {name}".encode("utf-16-le") + b"\0\0"
    text = text.ljust(-(-len(text) // 26) * 26, b"\xff")
    pieces = [text[k : k + 26] for k in range(0, len(text), 26)]
    rows = [bytes([k + 1]) + p[:10] + b"\x0f\0\0" + p[10:22] + b"\0\0" + p[22:26] for k, p in enumerate(pieces)]
    return b"".join(reversed(rows)) + row


def _root(clusters: _Clusters, files: dict[str, bytes], long_names: bool) -> bytes:
    """The root folder: a label, the files, and LIB with those whose names begin with it."""

    def rows(inside: bool) -> bytes:
        return b"".join(
            _entry(name.rpartition("/")[2], 0x20, clusters.store(data) if data else 0, len(data), long_names)
            for name, data in files.items()
            if ("/" in name) is inside
        )

    dots = b"".join(struct.pack("<11sB20x", dot.ljust(11), 0x10) for dot in (b".", b".."))
    root = struct.pack("<11sB20x", b"MY CARD", 0x08) + rows(inside=False)
    return root + _entry("LIB", 0x10, clusters.store(dots + rows(inside=True)), 0, long_names)


def card(path: Path, bits: int, files: dict[str, bytes], *, long_names: bool = False, first_sector: int = 0) -> Path:
    """A volume with one sector to a cluster and one table; with a `first_sector` it lies in a partition."""
    clusters, count = _Clusters(end=(1 << min(bits, 28)) - 1), CLUSTERS[bits]
    entries, sectors = 0 if bits == 32 else 64, -(-(count + 2) * bits // 8 // 512)
    root = _root(clusters, files, long_names)
    root_cluster = clusters.store(root) if bits == 32 else 0
    total = RESERVED + sectors + entries * 32 // 512 + count
    head = bytearray(512)
    struct.pack_into("<HBHBHHBH", head, 11, 512, 1, RESERVED, 1, entries, 0, 0xF8, 0 if bits == 32 else sectors)
    struct.pack_into("<IIHHI", head, 32, total, sectors if bits == 32 else 0, 0, 0, root_cluster)
    mark = 82 if bits == 32 else 54
    head[mark : mark + 3], head[510:] = b"FAT", b"\x55\xaa"
    start = first_sector * 512
    with path.open("wb") as file:
        if first_sector:
            sector = bytearray(512)
            sector[0x1BE + 4], sector[510:] = 0x0C, b"\x55\xaa"
            struct.pack_into("<I", sector, 0x1BE + 8, first_sector)
            file.write(sector)
        file.seek(start)
        file.write(head)
        file.seek(start + RESERVED * 512)
        file.write(clusters.table(bits, sectors) + root.ljust(entries * 32, b"\0")[: entries * 32])
        for place, data in clusters.content.items():
            file.seek(start + (total - count + place - 2) * 512)
            file.write(data)
        file.truncate(start + total * 512)
    return path
