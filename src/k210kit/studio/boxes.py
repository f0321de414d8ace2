"""Draw detections on a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from k210kit.link import Detections

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["with_boxes"]

_COLOUR = (0, 255, 0)


def with_boxes(image: Image, found: Detections | None, *, line: int = 2, labels: bool = True) -> Image:
    """A copy of the picture with its boxes, `line` pixels thick, and labels; the boxes are scaled to it."""
    from PIL import ImageDraw

    drawn = image.copy()
    if found is None or not found.width or not found.height:
        return drawn
    pen, scale_x, scale_y = ImageDraw.Draw(drawn), image.width / found.width, image.height / found.height
    for box in found.boxes:
        left, top = box.x * scale_x, box.y * scale_y
        right, bottom = left + max(box.width * scale_x - 1, 0), top + max(box.height * scale_y - 1, 0)
        pen.rectangle((left, top, right, bottom), outline=_COLOUR, width=line)
        if not labels:
            continue
        pen.text((left + 3, max(top - 11, 0)), f"{box.label} {box.score:.0%}", fill=_COLOUR)
    return drawn
