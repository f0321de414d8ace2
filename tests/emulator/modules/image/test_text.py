import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from k210kit.emulator.modules.image.font import CELL_HEIGHT, CELL_WIDTH, ascii_font
from k210kit.emulator.modules.image.text import Font, Style, draw_ascii, draw_utf8

# First and last filled column of the firmware's glyphs: text is as long as on the board only if ours have the same.
COLUMNS = {
    "!'|": (3, 3),
    '"': (1, 4),
    "%": (1, 7),
    "&@": (0, 6),
    "()1[]j`": (2, 4),
    ",;": None,
    ".:il": (2, 3),
    "<>": (1, 4),
    "=": (0, 5),
    "_{}": (1, 6),
}


def style(scale: float = 1.0, mono: bool = False, x_spacing: int = 0) -> Style:
    return Style(1, np.float32(scale), x_spacing, 2, mono)


def width_of(text: str, **options: object) -> int:
    """Columns from 0 to the last filled one."""
    canvas = np.zeros((40, 400), np.uint8)
    draw_ascii(canvas, 0, 0, text.encode(), style(**options))  # type: ignore[arg-type]
    return int(np.flatnonzero(canvas.any(axis=0))[-1]) + 1


def filled(character: str) -> tuple[int, int]:
    together = 0
    for row in ascii_font()[ord(character)]:
        together |= row
    columns = [x for x in range(CELL_WIDTH) if together & (0x80 >> x)]
    return columns[0], columns[-1]


def test_the_font_has_all_95_characters_in_8_by_12() -> None:
    assert sorted(ascii_font()) == list(range(32, 127))
    assert all(len(rows) == CELL_HEIGHT == 12 for rows in ascii_font().values())


def test_glyphs_fill_the_columns_that_the_firmwares_fill() -> None:
    special = {character: columns for group, columns in COLUMNS.items() for character in group}
    special |= {",": (2, 4), ";": (1, 3)}
    for code in range(33, 127):
        assert filled(chr(code)) == special.get(chr(code), (1, 5)), chr(code)


def test_glyphs_stay_in_the_rows_of_their_kind() -> None:
    for character in "ABCXYZ0123456789bdhkl":
        rows = [y for y, row in enumerate(ascii_font()[ord(character)]) if row]
        assert rows[0] in (0, 1)
        assert rows[-1] == 9
    assert all(any(ascii_font()[ord(character)][10:]) for character in "gjpqyQ")


def test_proportional_text_leaves_one_column_between_glyphs() -> None:
    assert width_of("A") == 5
    assert width_of("AB") == 5 + 1 + 5


def test_a_space_takes_three_columns() -> None:
    assert width_of("A A") == width_of("AA") + 3


def test_mono_space_moves_on_by_the_cell() -> None:
    assert width_of("AA", mono=True) == 8 + 6


def test_x_spacing_is_added_after_each_glyph() -> None:
    assert width_of("AAA", x_spacing=4) == width_of("AAA") + 8


def test_scale_2_doubles_every_pixel() -> None:
    small, large = np.zeros((12, 8), np.uint8), np.zeros((24, 16), np.uint8)
    draw_ascii(small, 1, 0, b"R", style())
    draw_ascii(large, 2, 0, b"R", style(2.0))
    assert np.array_equal(large, small.repeat(2, axis=0).repeat(2, axis=1))


def test_a_new_line_goes_down_by_cell_and_spacing() -> None:
    canvas, expected = np.zeros((40, 20), np.uint8), np.zeros((40, 20), np.uint8)
    draw_ascii(canvas, 1, 0, b"A\r\nB", style())
    draw_ascii(expected, 1, 0, b"A", style())
    draw_ascii(expected, 1, 14, b"B", style())
    assert np.array_equal(canvas, expected)


def test_an_unknown_byte_is_a_box_that_takes_no_room() -> None:
    canvas = np.zeros((12, 16), np.uint8)
    draw_ascii(canvas, 0, 0, "é".encode(), style())
    assert canvas.sum() == 2 * (10 + 6) - 4
    assert width_of("A\tB") >= width_of("AB")


def test_text_ends_at_a_zero_byte() -> None:
    assert width_of("A\0B") == width_of("A")


def test_a_loaded_font_is_asked_for_code_points() -> None:
    asked = []

    def glyph(code: int) -> bytes:
        asked.append(code)
        return b"\xff" * 8

    canvas = np.zeros((8, 40), np.uint8)
    draw_utf8(canvas, 0, 0, "a中".encode(), style(mono=True), Font(8, 8, glyph))
    assert asked == [ord("a"), ord("中")]
    assert canvas[:, :16].all()


@given(st.text(max_size=20), st.integers(-500, 500), st.integers(-500, 500), st.floats(0.1, 9))
def test_text_is_never_drawn_out_of_bounds(text: str, x: int, y: int, scale: float) -> None:
    whole = np.zeros((30, 30), np.uint8)
    draw_ascii(whole[5:-5, 5:-5], x, y, text.encode("utf-8", "replace"), style(scale))
    whole[5:-5, 5:-5] = 0
    assert not whole.any()
