"""Open what a request names: camera, screen, card, flash, serial ports, pins."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from k210kit.emulator.boards import Setup, board_kind
from k210kit.emulator.cameras import open_camera
from k210kit.emulator.card import FlashChip
from k210kit.emulator.live_page import LivePage
from k210kit.emulator.pins import read_timeline
from k210kit.emulator.ports import Endpoint, Ports, open_endpoint
from k210kit.emulator.request import RunRequest
from k210kit.emulator.screens import FolderScreen, MemoryScreen, TerminalScreen
from k210kit.errors import InputError, in_file, missing_file
from k210kit.files import read_whole
from k210kit.firmware import resolve
from k210kit.hardware import FILE_SYSTEM_ADDRESS, FILE_SYSTEM_BYTES, FLASH_BYTES
from k210kit.inspection.fat import card_entries
from k210kit.inspection.spiffs import file_contents, is_file_system

__all__ = ["setup_of", "with_card_unpacked"]

PORTS = {"UART1": 0, "UART2": 1, "UART3": 2, "UARTHS": 4}


def setup_of(request: RunRequest, flash_folder: Path) -> Setup:
    """Open everything that a request names; an `InputError` says what cannot be."""
    if request.frames is not None and request.frames < 1:
        raise InputError(f"--frames is {request.frames}; it must be 1 or more.")
    sd = Path(request.sd) if request.sd else None
    if sd is not None and not sd.is_dir():
        raise missing_file(sd)
    flash = _flash(request.flash)
    _unpack(flash, flash_folder)
    return Setup(
        kind=board_kind(request.board),
        firmware=resolve(request.firmware) if request.firmware else None,
        camera=open_camera(request.camera),
        screen=_screen(request.lcd),
        flash_folder=flash_folder,
        sd_folder=sd,
        flash=flash,
        ports=_ports(request.uart),
        pin_changes=read_timeline(Path(request.pins)) if request.pins else [],
        gc_heap_bytes=request.gc_heap,
        in_step=request.in_step,
        stop_at=request.seconds,
        frame_limit=request.frames,
    )


_MOST_CARD_BYTES = 1 << 30


def with_card_unpacked(request: RunRequest, folder: Path) -> RunRequest:
    """The request with a folder as its card: an image's files are copied there, and the image stays as it is."""
    if request.sd is None or not Path(request.sd).is_file():
        return request
    left = _MOST_CARD_BYTES
    folder.mkdir()
    with in_file(request.sd):
        for entry, content in card_entries(Path(request.sd)):
            target = folder.joinpath(*entry.parts)
            left -= entry.size or 0
            if left < 0:
                raise InputError(
                    f"{request.sd} holds more than {_MOST_CARD_BYTES:,} bytes of files. Copy what the script needs to "
                    "a folder, and name that: --sd FOLDER."
                )
            if entry.size is None:
                target.mkdir(exist_ok=True)
            else:
                with target.open("wb") as file:
                    file.writelines(content)
    return dataclasses.replace(request, sd=str(folder))


def _flash(parts: tuple[str, ...]) -> FlashChip:
    chip = FlashChip()
    for part in parts:
        address, equals, name = part.partition("=")
        if not equals:
            image = read_whole(Path(part), most_bytes=FLASH_BYTES)
            chip.write(0, image, part)
            continue
        try:
            where = int(address, 0)
        except ValueError:
            raise InputError(
                f"{part!r}: {address!r} is no flash address. Write --flash 0x300000=model.kmodel, or name a raw image."
            ) from None
        chip.write(where, read_whole(Path(name), most_bytes=FLASH_BYTES), name)
    return chip


def _unpack(flash: FlashChip, folder: Path) -> None:
    """Put the files of the chip's file system, if it has one, where /flash is; the chip itself is not written again."""
    area = flash.read(FILE_SYSTEM_ADDRESS, FILE_SYSTEM_BYTES)
    if not is_file_system(area):
        return
    for name, content in file_contents(area).items():
        parts = [part for part in name.split("/") if part]
        if parts and ".." not in parts:
            target = folder.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)


def _ports(parts: tuple[str, ...]) -> Ports:
    ports = Ports()
    for part in parts:
        name, equals, end = part.partition("=")
        if not equals or name.startswith("file:"):
            ports.default = open_endpoint(part)
            continue
        if name.upper() not in PORTS:
            raise InputError(f"{name!r} is no serial port of the board; it has {', '.join(PORTS)}.")
        made: Endpoint = open_endpoint(end)
        ports.ends[PORTS[name.upper()]] = made
    return ports


def _screen(what: str | None) -> MemoryScreen | FolderScreen | LivePage | TerminalScreen:
    if what is None:
        return MemoryScreen()
    if what.startswith("http:"):
        port = what.removeprefix("http:")
        if not port.isdigit() or int(port) > 65535:
            raise InputError(f"--lcd {what}: {port!r} is no TCP port. Write --lcd http:8210.")
        return LivePage(int(port))
    if what == "terminal":
        return TerminalScreen()
    return FolderScreen(Path(what))
