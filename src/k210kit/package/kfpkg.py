"""kfpkg: a zip with several files and the flash addresses they go to.

    flash-list.json   {"version": "0.1.0", "files": [{"address": N, "bin": NAME, "sha256Prefix": true or false}, …]}
    NAME, …           the files

`sha256Prefix` wraps the program for the boot ROM (`wrapping`). `reverse4Bytes` is known to the Windows K-Flash tool
alone: the file is padded with zeros to a multiple of 64 and every 4-byte group reversed, before the wrapping.
Packages in the wild give addresses as decimal numbers, as bare `0x` numbers (no JSON) and as text; all are read, and
plain JSON is written, with the key order and spacing that kflash's own reader wants.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from k210kit.errors import FormatError, in_file
from k210kit.files import read_whole, write_whole

from .flashmap import FLASH_BYTES, Entry, FlashMap, Region
from .safezip import SafeZip
from .wrapping import IoMode, program_doubt, wrap

__all__ = ["FLASH_LIST", "Kfpkg", "KfpkgFile", "load_kfpkg", "read_kfpkg", "write_kfpkg"]

FLASH_LIST = "flash-list.json"
VERSION = "0.1.0"
MOST_LIST_BYTES = 256 * 1024
MOST_FILES = 256
_REVERSE_PADDING = 64
_FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the same package gives the same bytes


@dataclass(frozen=True, kw_only=True)
class KfpkgFile:
    """One file of a package: `data` as it lies in the zip."""

    address: int
    name: str
    data: bytes
    sha256_prefix: bool = False
    reverse_words: bool = False

    def flash_bytes(self, io_mode: IoMode = "dio") -> bytes:
        """What goes into the flash: words reversed if asked for, then the boot ROM's wrapping if asked for."""
        data = self.data
        if self.reverse_words:
            padded = data + b"\0" * (-len(data) % _REVERSE_PADDING)
            data = np.frombuffer(padded, dtype="<u4").byteswap().tobytes()
        return wrap(data, io_mode) if self.sha256_prefix else data

    @property
    def region(self) -> Region:
        return Region(name=self.name, address=self.address, size=len(self.flash_bytes()))

    @property
    def entry(self) -> Entry:
        return Entry.of(self.name, self.data, self.address)


@dataclass(frozen=True, kw_only=True)
class Kfpkg:
    """A package: its files in the order of the flash list. `unlisted` are names in the zip that the list leaves out."""

    files: tuple[KfpkgFile, ...]
    version: str = VERSION
    unlisted: tuple[str, ...] = ()

    def flash_map(self, *, file_system: bool = True) -> FlashMap:
        return FlashMap.of((file.region for file in self.files), file_system=file_system)

    def list_text(self) -> str:
        """The flash list as plain JSON: one key a line, the address first, since kflash reads it by a pattern."""
        files = [
            {"address": file.address, "bin": file.name, "sha256Prefix": file.sha256_prefix}
            | ({"reverse4Bytes": True} if file.reverse_words else {})
            for file in self.files
        ]
        return json.dumps({"version": self.version or VERSION, "files": files}, indent=2) + "\n"

    def warnings(self) -> tuple[str, ...]:
        """What does not hinder writing, but will surprise: a program the ROM will not start, files left out."""
        found = [f"{name!r} is in the zip, but the flash list does not mention it." for name in self.unlisted]
        found += [program_doubt(file.name, file.flash_bytes()) for file in self.files if file.address == 0]
        return tuple(filter(None, found))


def load_kfpkg(path: Path | str) -> Kfpkg:
    """Read the package at `path`; `FormatError` on anything wrong."""
    data = read_whole(Path(path), most_bytes=2 * FLASH_BYTES)
    with in_file(path):
        return read_kfpkg(data)


def read_kfpkg(data: bytes) -> Kfpkg:
    """Read a package; at most one flash chip's worth of bytes and the list are unpacked, whatever the zip claims."""
    archive = SafeZip(data, most_bytes=FLASH_BYTES + MOST_LIST_BYTES)
    if FLASH_LIST not in archive.names:
        raise FormatError(f"a kfpkg holds a {FLASH_LIST}", field="zip", found=_some(archive.names), expected=FLASH_LIST)
    listed = _parse_list(archive.read(FLASH_LIST, most_bytes=MOST_LIST_BYTES))
    rows = _rows(listed)
    files = tuple(_file(archive, row, f"{FLASH_LIST} files[{index}]") for index, row in enumerate(rows))
    known = {file.name for file in files} | {FLASH_LIST}
    return Kfpkg(
        files=files,
        version=str(listed.get("version", "")),
        unlisted=tuple(name for name in archive.names if name not in known),
    )


def write_kfpkg(package: Kfpkg, path: Path | str | None = None, *, force: bool = False) -> bytes:
    """The package as bytes, and to `path` if one is given; the same package gives the same bytes."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr(_dated(FLASH_LIST), package.list_text())
        written: dict[str, bytes] = {}
        for file in package.files:
            if file.name not in written:
                archive.writestr(_dated(file.name), file.data)
            elif written[file.name] != file.data:
                raise FormatError("two different files have one name", field=file.name, expected="a name for each")
            written[file.name] = file.data
    if path is not None:
        write_whole(Path(path), raw.getvalue(), force=force)
    return raw.getvalue()


def _dated(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _FIRST_DATE)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


_ODD = re.compile(
    r'"(?:[^"\\]|\\.)*"'  # text, left alone
    r"|(?<![\w.])(?P<hex>0[xX][0-9a-fA-F]+)\b"
    r"|(?<![\w.+-])(?P<zeros>0[0-9]+)\b(?![.eE])"
    r"|(?P<comma>,)(?=\s*[\]}])"
)


def _plain(match: re.Match[str]) -> str:
    if match["hex"]:
        return str(int(match["hex"], 16))
    if match["zeros"]:
        return match["zeros"].lstrip("0") or "0"
    return "" if match["comma"] else match[0]


def _parse_list(raw: bytes) -> dict[str, Any]:  # Any: JSON
    try:
        text = raw.decode("utf-8-sig")
        listed = json.loads(_ODD.sub(_plain, text), object_pairs_hook=_without_repeats)
    except UnicodeDecodeError as error:
        raise FormatError("not UTF-8", field=FLASH_LIST, offset=error.start) from None
    except (ValueError, RecursionError) as error:
        raise FormatError(f"not JSON ({error})", field=FLASH_LIST) from None
    if not isinstance(listed, dict):
        raise FormatError("not an object", field=FLASH_LIST, found=type(listed).__name__, expected="{…}")
    return listed


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:  # Any: JSON
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise FormatError("a key is there twice", field=FLASH_LIST, found=repr(repeated), expected="each key once")
    return made


def _rows(listed: dict[str, Any]) -> list[dict[str, Any]]:  # Any: JSON
    rows = listed.get("files")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise FormatError("no list of files", field=f"{FLASH_LIST} files", found=_short(rows), expected="[{…}, …]")
    if not 1 <= len(rows) <= MOST_FILES:
        raise FormatError("wrong number of files", field=f"{FLASH_LIST} files", found=len(rows), expected="1 to 256")
    return rows


def _file(archive: SafeZip, row: dict[str, Any], where: str) -> KfpkgFile:  # Any: JSON
    name = row.get("bin")
    if not isinstance(name, str):
        raise FormatError("no file name", field=f"{where} bin", found=_short(name), expected="text")
    if name not in archive.names:
        raise FormatError(
            "no such file in the zip", field=f"{where} bin", found=repr(name), expected=_some(archive.names)
        )
    return KfpkgFile(
        address=_address(row.get("address"), where),
        name=name,
        data=archive.read(name),
        sha256_prefix=_flag(row, "sha256Prefix", where),
        reverse_words=_flag(row, "reverse4Bytes", where),
    )


def _address(value: Any, where: str) -> int:  # Any: JSON
    number = value
    if isinstance(value, str) and re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}|[0-9]{1,20}", value):
        number = int(value, 16 if value[:2].lower() == "0x" else 10)
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < FLASH_BYTES:
        raise FormatError(
            "no flash address", field=f"{where} address", found=_short(value), expected=f"0 to 0x{FLASH_BYTES - 1:X}"
        )
    return number


def _flag(row: dict[str, Any], key: str, where: str) -> bool:  # Any: JSON
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise FormatError("no truth value", field=f"{where} {key}", found=_short(value), expected="true or false")
    return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "nothing"
