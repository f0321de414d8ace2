"""What the firmware offers and the emulator does not: an error that says so, and a line in the run's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from k210kit.emulator.modules.table import NotEmulatedError

from ..arguments import Arguments
from ..image import Image
from ..table import method

if TYPE_CHECKING:
    from k210kit.emulator.board import Board

__all__ = ["ABSENT", "refuse"]

ABSENT = ("remove_shadows", "selective_search")


def refuse(board: Board, what: str) -> NoReturn:
    """Count and raise."""
    board.not_emulated(f"image.{what}")
    raise NotEmulatedError(f"image.{what} is in the firmware, but not in the emulator. Try this part on the board.")


def _absent(name: str) -> None:
    @method(name, full=True)
    def call(image: Image, _: Arguments) -> None:
        refuse(image._workshop.board, f"Image.{name}")


for _name in ABSENT:
    _absent(_name)
