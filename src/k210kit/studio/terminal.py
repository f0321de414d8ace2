"""A picture in a terminal: two pixels per character, coloured half blocks, and the figures below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k210kit.studio.boxes import with_boxes
from k210kit.studio.viewer import Figures, Seen

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["figures_line", "picture_text"]


def picture_text(seen: Seen, columns: int) -> Text:
    """The picture `columns` characters wide, its boxes drawn, and a line of figures."""
    from rich.text import Text

    rows = max(round(columns * seen.image.height / seen.image.width / 2), 1)
    small = with_boxes(seen.image.resize((columns, 2 * rows)), seen.detections, line=1, labels=False).tobytes()
    text = Text(no_wrap=True)
    for row in range(rows):
        for column in range(columns):
            upper, lower = (small[3 * ((2 * row + half) * columns + column) :][:3].hex() for half in (0, 1))
            text.append("▀", style=f"#{upper} on #{lower}")
        text.append("\n")
    text.append(figures_line(seen.figures))
    return text


def figures_line(f: Figures) -> str:
    """The six figures and the faults in one line."""
    six = (f"{f.size:,} bytes, receive {f.receive_ms:.0f} ms, decode {f.decode_ms:.1f} ms, draw {f.draw_ms:.1f} ms, "
           f"total {f.total_ms:.0f} ms, {f.fps:.1f} fps")  # fmt: skip
    return f"{six} | quality {f.quality or '-'}, lost {f.lost}, damaged {f.damaged}, resyncs {f.resyncs}"
