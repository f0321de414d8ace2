"""Where a data set lies: a folder or a zip, seen the same way: names and bytes. Nothing is ever unpacked to disk."""

from __future__ import annotations

import json
import os
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from k210kit.errors import FileError, FormatError, InputError, missing_file

from .encodings import declared, encoding_of, is_utf8
from .records import Findings

__all__ = [
    "PICTURE_SUFFIXES",
    "PictureIndex",
    "Store",
    "has_json_with",
    "is_picture",
    "json_objects",
    "open_store",
    "text_of",
]

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".jfif", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}
_TEXT_SUFFIXES = {".xml", ".txt", ".csv", ".json", ".yaml", ".yml", ".names", ".labels"}
_MOST_TRIED = 300  # texts that decide on an encoding
_MOST_FILES = 1_000_000
_MOST_BYTES_OF_ONE = 1 << 30
_MOST_TEXT_BYTES = 1 << 29
# Deflate cannot do better than 1032:1 (zlib's technical page); photos stay near 1:1, annotations below 100:1.
_MOST_RATIO, _RATIO_COUNTS_FROM = 200, 16 << 20


class Store(Protocol):
    """A folder or a zip; names are relative, with `/`, sorted.

    encoding: of its texts that are not UTF-8; None until one is met.
    """

    title: str
    names: tuple[str, ...]
    encoding: str | None

    def read(self, name: str) -> bytes:
        """The bytes of one file; a damaged or unreadable one is an `InputError`."""


class _Folder:
    def __init__(self, path: Path, findings: Findings) -> None:
        self.title, self._path = path.name or str(path), path
        self.encoding: str | None = None
        names = []
        for folder, folders, files in os.walk(path, followlinks=False):
            for linked in [f for f in folders if (Path(folder) / f).is_symlink()]:
                findings.warning(_relative(path, Path(folder) / linked), "a link to a folder; it is not followed")
            folders[:] = sorted(f for f in folders if not _is_junk(f))
            names += [_relative(path, Path(folder) / f) for f in files if not _is_junk(f)]
        self.names = tuple(sorted(names))

    def read(self, name: str) -> bytes:
        path = self._path / name
        try:
            if path.stat().st_size > _MOST_BYTES_OF_ONE:
                raise InputError(f"{path} is larger than {_MOST_BYTES_OF_ONE:,} bytes.")
            return path.read_bytes()
        except OSError as error:
            raise FileError(f"{path} cannot be read: {error.strerror}.") from error


class _Zip:
    def __init__(self, path: Path, findings: Findings) -> None:
        self.title = path.name
        self.encoding: str | None = None
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
            raise FormatError(f"{path} is not a readable zip ({error})", expected="a folder or a zip") from error
        entries = self._zip.infolist()
        if len(entries) > _MOST_FILES:
            raise FormatError(f"{path} lists {len(entries):,} files; at most {_MOST_FILES:,} are taken")
        self._entries: dict[str, zipfile.ZipInfo] = {}
        for entry, name in zip(entries, _readable_names(entries), strict=True):
            if entry.is_dir() or any(_is_junk(part) for part in name.split("/") if part.strip(".")):
                continue
            if fault := _fault(entry, name):
                findings.error(name, fault)
            elif name in self._entries:
                findings.error(name, "is in the zip twice; the first one is used")
            else:
                self._entries[name] = entry
        self.names = tuple(sorted(self._entries))

    def read(self, name: str) -> bytes:
        entry = self._entries[name]
        try:
            with self._zip.open(entry) as stream:
                data = stream.read(entry.file_size + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError) as error:
            raise FormatError(f"{name} is damaged inside the zip ({error})") from error
        if len(data) > entry.file_size:
            raise FormatError(f"{name} unpacks to more than the {entry.file_size:,} bytes that the zip tells")
        return data


def _fault(entry: zipfile.ZipInfo, name: str) -> str:
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "is a link inside the zip; links are not followed"
    if name.startswith("/") or ":" in name.split("/")[0] or ".." in PurePosixPath(name).parts:
        return "has a name that leads out of the zip; it is left out"
    if entry.flag_bits & 1:
        return "is encrypted; pack the zip without a password"
    if entry.file_size > _MOST_BYTES_OF_ONE:
        return f"would unpack to {entry.file_size:,} bytes; at most {_MOST_BYTES_OF_ONE:,} are read"
    if entry.file_size > _RATIO_COUNTS_FROM and entry.file_size > _MOST_RATIO * max(entry.compress_size, 1):
        return f"would unpack to {entry.file_size:,} bytes from {entry.compress_size:,}: a zip bomb; it is left out"
    return ""


def _readable_names(entries: list[zipfile.ZipInfo]) -> list[str]:
    """Names without the UTF-8 mark come as code page 437; many such zips hold UTF-8, Shift JIS or GBK."""
    raw = [None if e.flag_bits & 0x800 else e.filename.encode("cp437", errors="replace") for e in entries]
    unmarked = [name for name in raw if name is not None]
    encoding = "utf-8" if all(map(is_utf8, unmarked)) else encoding_of(unmarked, western="cp437")
    names = [e.filename if r is None else r.decode(encoding) for e, r in zip(entries, raw, strict=True)]
    return [name.replace("\\", "/") for name in names]


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in {"thumbs.db", "desktop.ini", "__macosx"}


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def open_store(path: Path, findings: Findings) -> Store:
    """Open a folder or a zip, or the folder around a single annotation file."""
    if path.is_dir():
        return _Folder(path, findings)
    if not path.exists():
        raise missing_file(path)
    return _Zip(path, findings)


def is_picture(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES


def text_of(store: Store, name: str) -> str:
    """A text file: UTF-8, UTF-16 with a mark, what its XML declaration says, else an old encoding of Windows."""
    data = store.read(name)
    if len(data) > _MOST_TEXT_BYTES:
        raise FormatError(f"{name} has {len(data):,} bytes of text; at most {_MOST_TEXT_BYTES:,} are read")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if is_utf8(data):
        return data.decode("utf-8-sig")
    return data.decode(declared(data) or _old_encoding(store, data), errors="replace")


def _old_encoding(store: Store, data: bytes) -> str:
    """The one encoding of all of the store's texts that are not UTF-8, decided when the first of them is met."""
    if store.encoding is None:
        texts = [data]
        for name in [n for n in store.names if PurePosixPath(n).suffix.lower() in _TEXT_SUFFIXES][:_MOST_TRIED]:
            try:
                texts.append(store.read(name))
            except InputError:
                continue  # whoever needs this file tells what is wrong with it
        store.encoding = encoding_of([t for t in texts if not is_utf8(t)], western="cp1252")
    return store.encoding


def has_json_with(store: Store, *words: str) -> bool:
    """Whether one of the first JSON files holds all of these words."""
    heads = [text_of(store, name) for name in _json_names(store)[:5]]
    return any(all(word in text for word in words) for text in heads)


def json_objects(store: Store, findings: Findings) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and content of every JSON file that holds an object; what cannot be read is a finding."""
    for name in _json_names(store):
        try:
            body = json.loads(text_of(store, name))
        except (json.JSONDecodeError, InputError, RecursionError) as error:
            findings.error(name, f"is not readable JSON: {error}")
            continue
        if isinstance(body, dict):
            yield name, body


def _json_names(store: Store) -> list[str]:
    return [name for name in store.names if name.lower().endswith(".json")]


class PictureIndex:
    """Finds the picture that an annotation means, though folders and suffixes differ from what it says."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(name for name in names if is_picture(name))
        self._by_path = {name.lower(): name for name in self.names}
        self._by_file: dict[str, list[str]] = {}
        self._by_stem: dict[str, list[str]] = {}
        for name in self.names:
            path = PurePosixPath(name.lower())
            self._by_file.setdefault(path.name, []).append(name)
            self._by_stem.setdefault(path.stem, []).append(name)

    def find(self, wanted: str, *, beside: str) -> str | None:
        """The picture called `wanted` in an annotation that lies at `beside`; the nearest one if several match."""
        path = PurePosixPath(wanted.replace("\\", "/").lower())
        exact = self._by_path.get(str(path)) or self._by_path.get(str(PurePosixPath(beside.lower()).parent / path))
        if exact:
            return exact
        found = self._by_file.get(path.name) or self._by_stem.get(path.stem) or []
        return max(found, key=lambda name: (_shared(name, beside), name)) if found else None

    def beside(self, annotation: str) -> str | None:
        """The picture with the annotation's own stem."""
        found = self._by_stem.get(PurePosixPath(annotation.lower()).stem, [])
        return max(found, key=lambda name: (_shared(name, annotation), name)) if found else None


def _shared(a: str, b: str) -> int:
    """How many folders two names share, wherever these stand: images/train/x and labels/train/x share one."""
    return len(set(PurePosixPath(a).parts[:-1]) & set(PurePosixPath(b).parts[:-1]))
