"""`lcd`: the screen. Sources: omv/py/py_lcd.c, components/drivers/lcd of MaixPy 0.6.2.

The glass keeps RGB565 pixels as they look; the script's integer colours have their two bytes swapped, as on the board.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator import costs
from k210kit.emulator.board import Board, Picture
from k210kit.emulator.modules.image.arguments import as_array, as_int, require
from k210kit.emulator.modules.image.image import cast
from k210kit.emulator.modules.image.pixels import PIXEL, WORD, clipped_color
from k210kit.emulator.modules.image.text import Style, draw_ascii
from k210kit.emulator.modules.sensor import GRAYSCALE, JPEG
from k210kit.emulator.modules.table import device_module
from k210kit.emulator.system_memory import SystemBlock

__all__ = ["LcdModule"]

_NONE, _SHIELD, _CUBE, _M5STICK, _TWATCH, _CONVERTER = range(6)


def _swapped(word: int) -> int:
    return (word >> 8 & 0xFF) | (word << 8 & 0xFF00)


@device_module("lcd")
class LcdModule:
    """The module. `display` sends a picture, cut to the glass."""

    BLACK, NAVY, DARKGREEN, DARKCYAN, MAROON, PURPLE, OLIVE = 0x0000, 0x0F00, 0xE003, 0xEF03, 0x0078, 0x0F78, 0xE07B
    LIGHTGREY, DARKGREY, BLUE, GREEN, CYAN, RED = 0x18C6, 0xEF7B, 0x1F00, 0xE007, 0xFF07, 0x00F8
    MAGENTA, YELLOW, WHITE, ORANGE, GREENYELLOW, PINK = 0x1FF8, 0xE0FF, 0xFFFF, 0x20FD, 0xE5AF, 0x1FF8
    XY_RLUD, YX_RLUD, XY_LRUD, YX_LRUD = 0x00, 0x20, 0x40, 0x60
    XY_RLDU, YX_RLDU, XY_LRDU, YX_LRDU = 0x80, 0xA0, 0xC0, 0xE0

    def __init__(self, board: Board) -> None:
        self._board = board
        self._type = _NONE
        self._freq = board.firmware.lcd_hz
        self._rotation, self._mirror, self._swap_red = 0, False, False
        self._glass: NDArray[np.uint16] = np.zeros((0, 0), np.uint16)  # unrotated
        self._buffer: SystemBlock | None = None

    # set-up -----------------------------------------------------------------------------------------------------
    def init(
        self,
        type: int = _SHIELD,
        freq: int | None = None,
        color: Any = 0,
        width: int | None = None,
        height: int | None = None,
        invert: int = 0,
        offset_w0: int = 0,
        offset_h0: int = 0,
        offset_w1: int = 0,
        offset_h1: int = 0,
        rst: int = 37,
        dcx: int = 38,
        ss: int = 36,
        clk: int = 39,
        *,
        lcd_type: int = 0,
    ) -> None:
        """Start the screen and clear it (Any: a colour, integer or (r, g, b))."""
        self.deinit()
        made, word = as_int(type), self._color(color)
        if made == _NONE:
            return
        if not _SHIELD <= made <= _CONVERTER:
            raise ValueError("type error")
        firmware = self._board.firmware
        wide = firmware.lcd_width if width is None else as_int(width)
        high = firmware.lcd_height if height is None else as_int(height)
        if made == _CUBE:
            wide, high = 240, 240
        self._freq = firmware.lcd_hz if freq is None else as_int(freq)
        self._type = made
        self._buffer = self._board.heap.allocate(wide * high * 2, "LCD buffer")
        if self._buffer is None:  # the Python layer ignores it: no exception, and nothing is ever shown
            self._board.warn("lcd.init found no memory for its buffer; on the board the screen stays as it is.")
        self._glass = np.zeros((high, wide), np.uint16)
        self._rotation, self._mirror = 0, False
        self._board.clock.advance(costs.LCD_INIT_SECONDS)
        self._fill(word)

    def deinit(self) -> None:
        if self._buffer is not None:
            self._buffer.free()
        self._buffer, self._type = None, _NONE

    def freq(self, *arguments: int) -> int:
        if arguments:
            self._freq = as_int(arguments[0])
        return self._freq

    def rotation(self, *arguments: int) -> int:
        if arguments:
            turn = as_int(arguments[0])
            if not 0 <= turn <= 3:
                raise ValueError("value:[0,3]")
            self._rotation = turn
        return self._rotation

    def mirror(self, *arguments: object) -> int:
        if arguments:
            self._mirror = bool(arguments[0])
        return int(self._mirror)

    def bgr_to_rgb(self, *arguments: object) -> None:
        if not arguments:
            raise ValueError("True or False")
        self._swap_red = bool(arguments[0])

    def direction(self, direction: int) -> None:
        turns = {self.YX_RLDU: 0, self.XY_RLUD: 1, self.YX_LRUD: 2, self.XY_LRDU: 3}
        self._rotation = turns.get(as_int(direction) & 0xE0, self._rotation)

    def set_backlight(self, state: object) -> None:
        return None

    def get_backlight(self) -> None:
        return None

    def width(self) -> int | None:
        return None if self._type == _NONE else self._view().shape[1]

    def height(self) -> int | None:
        return None if self._type == _NONE else self._view().shape[0]

    def type(self) -> int | None:
        return None if self._type == _NONE else self._type

    def register(self, address: int, data: Any) -> None:
        """Write one of the screen controller's registers; nothing is seen of it (Any: a number or a list)."""
        if self._type == _CONVERTER:
            raise ValueError("device type is not support!")
        as_int(address)

    # pictures ---------------------------------------------------------------------------------------------------
    def display(self, image: Picture, roi: Any = None, oft: Any = None, **_unknown: object) -> None:
        """Send a picture, or `roi` of it, with its corner at `oft`; centred, or cut, without `oft` (Any: tuples)."""
        pixels = self._pixels_of(cast(image))
        high, wide = pixels.shape
        x, y, w, h = (0, 0, wide, high) if roi is None else _overlap(as_array(roi, 4), wide, high)
        left, top = (-1, -1) if oft is None else (as_int(part) for part in as_array(oft, 2))
        if self._type == _NONE:
            return
        glass = self._view()
        glass_high, glass_wide = glass.shape
        if left < 0 or top < 0:
            x, w, left = _centred(x, w, glass_wide)
            y, h, top = _centred(y, h, glass_high)
            glass[...] = 0
        shown = pixels[y : y + max(0, min(h, glass_high - top)), x : x + max(0, min(w, glass_wide - left))]
        glass[top : top + shown.shape[0], left : left + shown.shape[1]] = shown
        self._send(shown.size)

    def clear(self, *arguments: Any, **_ignored: object) -> None:
        """Fill the screen (Any: a colour, integer or (r, g, b)). Keywords are ignored, as in the firmware: black."""
        word = self._color(arguments[0]) if arguments else self.BLACK
        if self._type != _NONE:
            self._fill(word)

    def draw_string(self, x: int, y: int, text: str, color: int = RED, background: int = BLACK) -> None:
        """Write text with the 8x12 font on a filled box."""
        if not self._glass.size:
            raise ValueError("not init")
        wide = self._glass.shape[1]
        left, top = as_int(x) & 0xFFFF, as_int(y) & 0xFFFF
        if not isinstance(text, str):
            raise TypeError(f"can't convert '{_type_name(text)}' object to str implicitly")
        if left >= wide or top > wide - 16:
            return
        shown = text[: (wide - left) // 8]
        if not shown:
            return
        words = np.full((12, len(shown) * 8), as_int(background) & 0xFFFF, WORD)
        style = Style(value=as_int(color) & 0xFFFF, scale=np.float32(1), y_spacing=0, mono_space=True)
        draw_ascii(words, 0, 0, shown.encode(), style)
        box = words.view(PIXEL)
        glass = self._view()
        part = glass[top : top + 12, left : left + box.shape[1]]
        part[...] = box[: part.shape[0], : part.shape[1]]
        self._send(box.size)

    def fill_rectangle(self, x: int, y: int, w: int, h: int = 0, color: Any = 0) -> None:
        """Fill a box (Any: a colour); it must end inside the glass."""
        if not self._glass.size:
            raise ValueError("not init")
        left, top = as_int(x) & 0xFFFF, as_int(y) & 0xFFFF
        right, bottom = left + as_int(w) & 0xFFFF, top + as_int(h) & 0xFFFF
        word = self._color(color)
        high, wide = self._glass.shape
        if left >= wide or top >= high or right >= wide or bottom >= high:
            raise ValueError("arg error")
        self._view()[top:bottom, left:right] = _swapped(word)
        self._send((right - left) * (bottom - top))

    def _pixels_of(self, image: Picture) -> NDArray[np.uint16]:
        require(image.pixel_format != JPEG, "Image format is not supported.")
        if image.pixel_format == GRAYSCALE:
            gray = image.pixels.astype(np.uint16)
            return (gray >> 3 << 11 | gray >> 2 << 5 | gray >> 3).astype(np.uint16)
        return image.pixels

    def _color(self, color: Any) -> int:
        """The script's word of an integer or (r, g, b) colour (Any: it)."""
        if isinstance(color, int):
            return color & 0xFFFF
        return clipped_color(*(as_int(part) for part in as_array(color, 3)))

    def _fill(self, word: int) -> None:
        self._glass[...] = _swapped(word)
        self._send(self._glass.size)

    def _view(self) -> NDArray[np.uint16]:
        """The glass as the script counts its rows and columns."""
        return np.rot90(self._glass, self._rotation)

    def _send(self, pixels: int) -> None:
        self._board.clock.advance(costs.lcd_seconds(pixels, self._freq))
        if self._buffer is None:
            return
        shown: NDArray[Any] = self._view()
        if self._mirror:
            shown = shown[:, ::-1]
        if self._swap_red:
            shown = (shown & 0x07E0) | (shown >> 11) | (shown << 11 & 0xF800)
        counters = self._board.counters
        counters.screens += 1
        counters.screens_since_frame += 1
        counters.last_picture = self._board.clock.now
        with self._board.trusted():
            self._board.lcd.show(shown, self._board.clock.now)
        self._board.check_screens()


def _type_name(value: object) -> str:
    return type(value).__name__


def _overlap(roi: Any, wide: int, high: int) -> tuple[int, int, int, int]:
    """The part of a region (x, y, w, h; Any: the script's numbers) that lies inside the picture."""
    x, y, w, h = (as_int(part) for part in roi)
    require(w >= 1 and h >= 1, "Invalid ROI dimensions!")
    left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, wide), min(y + h, high)
    require(left < right and top < bottom, "ROI does not overlap on the image!")
    return left, top, right - left, bottom - top


def _centred(start: int, size: int, room: int) -> tuple[int, int, int]:
    """First pixel, count and place of a row that is centred, or cut on both sides."""
    if size > room:
        return start + (size - room) // 2, room, 0
    return start, size, (room - size) // 2
