"""How a class becomes a module that a script can import."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from k210kit.errors import UnsupportedError

if TYPE_CHECKING:
    from k210kit.emulator.board import Board

__all__ = [
    "DeviceModule",
    "DeviceModuleObject",
    "NotEmulatedError",
    "device_module",
    "instance",
    "known_names",
    "module_object",
    "offered",
    "refuse_absent",
]

_STANDARD = """
    math cmath ustruct struct ubinascii binascii uheapq heapq uerrno errno ucollections collections array ujson json
    ure re urandom random uhashlib hashlib uzlib zlib micropython utimeq
"""
# Device name -> file below `k210kit.emulator.modules`; a file is imported when a script first asks for the name.
_FILES: dict[str, str] = {
    "KPU": "KPU",
    "Maix": "Maix",
    "_thread": "threads",
    "board": "board_info",
    "fpioa_manager": "fpioa_manager",
    "gc": "gc",
    "image": "image",
    "lcd": "lcd",
    "machine": "machine",
    "os": "os",
    "sensor": "sensor",
    "sys": "sys",
    "time": "time",
    "uos": "os",
    "utime": "time",
    "video": "video",
    "io": "uio",
    "uio": "uio",
    **dict.fromkeys(_STANDARD.split(), "standard"),
    **dict.fromkeys(("touchscreen", "modules", "pmu", "audio"), "attachments"),
}


class NotEmulatedError(UnsupportedError):
    """The firmware has it, the emulator does not. Not a silent None: the run's report names it too."""


# Modules of the firmware that are not here, with the feature without which the firmware has not got them either.
ABSENT: dict[str, str] = {
    "lodepng": "lvgl", "lvgl": "lvgl", "lvgl_helper": "lvgl", "nes": "nes", "network": "", "pye_mp": "pye",
    "socket": "", "speech_recognizer": "speech", "ucryptolib": "", "uctypes": "", "ulab": "ulab", "usocket": "",
    "ussl": "ssl", "websocket": "",
}  # fmt: skip


@dataclass(frozen=True)
class DeviceModule:
    """A row of the table: the class, and the firmware feature without which the module is absent."""

    name: str
    cls: Callable[[Board], Any]  # Any: each module is its own class
    needs: str = ""


_TABLE: dict[str, DeviceModule] = {}

_Class = TypeVar("_Class", bound=type)


def device_module(*names: str, needs: str = "") -> Callable[[_Class], _Class]:
    """Register a class under one or more device names; `needs`: a feature word."""

    def register(cls: _Class) -> _Class:
        for name in names:
            _TABLE[name] = DeviceModule(name=name, cls=cls, needs=needs)
        return cls

    return register


def known_names() -> tuple[str, ...]:
    """Every device module's name, of any firmware."""
    return tuple(_FILES)


def offered(board: Board, name: str) -> bool:
    """Whether this board's firmware has the module."""
    if name not in _FILES:
        return False
    needs = _row(name).needs
    return not needs or board.has(needs)


def refuse_absent(board: Board, name: str) -> None:
    """Raise `NotEmulatedError` for a module that this board's firmware has and the emulator has not."""
    if name in ABSENT and (not ABSENT[name] or board.has(ABSENT[name])):
        board.not_emulated(f"import {name}")
        raise NotEmulatedError(f"The module {name} of MaixPy is not emulated.")


def instance(board: Board, name: str) -> Any:  # Any: each module is its own class
    """The board's one instance of the module's class, shared by all names that the class has."""
    row = _row(name)
    for made in board.modules.values():
        if type(made) is row.cls:
            board.modules[name] = made
            return made
    board.modules[name] = made = row.cls(board)
    return made


_BOARDS: WeakKeyDictionary[ModuleType, Board] = WeakKeyDictionary()  # kept out of the script's sight


class DeviceModuleObject(ModuleType):
    """What a script holds after `import name`: the public names of the module's instance."""

    def __init__(self, *_: object) -> None:
        raise TypeError("cannot create 'module' instances")

    def __getattr__(self, name: str) -> Any:  # Any: never returns
        """A name that is not there: only on a board, or nowhere."""
        from k210kit.emulator.stubs import is_only_on_the_board

        module = self.__dict__["__name__"]
        if is_only_on_the_board(module, name):
            _BOARDS[self].not_emulated(f"{module}.{name}")
            raise NotEmulatedError(f"{module}.{name} is in the firmware, but not in the emulator. Try it on the board.")
        raise AttributeError(f"'module' object has no attribute '{name}'")

    def __repr__(self) -> str:
        return f"<module '{self.__name__}'>"


def public_names(made: Any) -> dict[str, Any]:  # Any: an instance of a device module's class, and its values
    """What a script sees of an instance: its public attributes, and what `PRIVATE_NAMES` renames."""
    names = {name: getattr(made, name) for name in dir(made) if not name.startswith("_") and name != "PRIVATE_NAMES"}
    names.update({shown: getattr(made, name) for shown, name in getattr(made, "PRIVATE_NAMES", {}).items()})
    return names


def module_object(board: Board, name: str) -> DeviceModuleObject:
    """A new module object for a script of this board."""
    made = DeviceModuleObject.__new__(DeviceModuleObject)
    made.__dict__.clear()
    made.__dict__["__name__"] = name
    made.__dict__.update(public_names(instance(board, name)))
    _BOARDS[made] = board
    return made


def _row(name: str) -> DeviceModule:
    if name not in _TABLE:
        importlib.import_module(f"k210kit.emulator.modules.{_FILES[name]}")
    return _TABLE[name]
