"""A firmware from whatever the user names: the catalogue, a .bin file, or a .mk configuration."""

from __future__ import annotations

from pathlib import Path

from k210kit.errors import InputError, in_file
from k210kit.files import read_whole
from k210kit.firmware.catalogue import Firmware, find

__all__ = ["resolve"]

MOST_BYTES = 32 * 1024 * 1024


def resolve(name_or_path: str | Path) -> Firmware:
    """The firmware of that name in the catalogue, or the one that a .bin or .mk file holds."""
    path = Path(name_or_path)
    suffix = path.suffix.lower()
    if suffix == ".mk":
        from k210kit.firmware.check import check_configuration

        checked = check_configuration(_text(path), name=path.stem)
        empty = [one.message for one in checked.findings if one.rule == "empty"]
        if empty:
            raise InputError(f"{path} is no configuration of MaixPy. {empty[0]}")
        return checked.firmware
    if suffix in (".bin", ".img") or path.is_file():
        from k210kit.firmware.image import read_image

        data = read_whole(path, most_bytes=MOST_BYTES)
        with in_file(path):
            image = read_image(data)
        if not image.is_maixpy:
            what = f"{image.system} {image.version}" if image.system else "a K210 program without a MicroPython version"
            raise InputError(
                f"{path} holds {what}, not MaixPy: what memory it leaves is unknown. "
                "Give a MaixPy .bin, a .mk configuration, or a name of `k210kit firmware list`."
            )
        return image.firmware(path.stem)
    return find(str(name_or_path))


def _text(path: Path) -> str:
    try:
        return read_whole(path, most_bytes=1024 * 1024).decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text file; a .mk configuration was expected.") from None
