"""`lcd` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from typing import Any

from image import Image

BLACK: int
BLUE: int
CYAN: int
DARKCYAN: int
DARKGREEN: int
DARKGREY: int
GREEN: int
GREENYELLOW: int
LIGHTGREY: int
MAGENTA: int
MAROON: int
NAVY: int
OLIVE: int
ORANGE: int
PINK: int
PURPLE: int
RED: int
WHITE: int
XY_LRDU: int
XY_LRUD: int
XY_RLDU: int
XY_RLUD: int
YELLOW: int
YX_LRDU: int
YX_LRUD: int
YX_RLDU: int
YX_RLUD: int

def bgr_to_rgb(enable: object = ...) -> None: ...
def clear(color: Any = 0, g: int = ..., b: int = ...) -> None: ...
def deinit() -> None: ...
def direction(direction: int) -> None: ...
def display(image: Image, roi: Any = None, oft: Any = None, **ignored_named: object) -> None: ...
def draw_string(x: int, y: int, text: str, color: int = 248, background: int = 0) -> None: ...
def fill_rectangle(x: int, y: int, w: int, h: int = 0, color: Any = 0) -> None: ...
def freq(freq: int = ...) -> int: ...
def get_backlight() -> None: ...
def height() -> int | None: ...
def init(
    type: int = 1,
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
) -> None: ...
def mirror(enable: object = ...) -> int: ...
def register(address: int, data: Any) -> None: ...
def rotation(rotation: int = ...) -> int: ...
def set_backlight(state: object) -> None: ...
def type() -> int | None: ...
def width() -> int | None: ...
