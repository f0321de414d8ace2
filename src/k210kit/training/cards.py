"""Number and symbol cards: printable, and drawn as a camera would see them, with exact boxes and classes.

Every picture is a function of (seed, its number). Boxes are the bounds of the card's own pixels after perspective,
so they are exact. Nothing here is a photo or a font file: digits come from the font inside Pillow, symbols and
backgrounds are drawn by formula.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from k210kit.errors import InputError, unknown
from k210kit.files import write_whole

from .datasets import Task

__all__ = ["DECKS", "Deck", "Drawn", "draw_card", "draw_scene", "write_cards", "write_sheets"]

Deck = Literal["numbers", "symbols", "all"]
_NUMBERS = tuple("0123456789")
_SYMBOLS = ("circle", "triangle", "square", "star", "heart", "cross", "moon", "arrow", "drop", "stairs")
DECKS: dict[Deck, tuple[str, ...]] = {
    "numbers": _NUMBERS,
    "symbols": _SYMBOLS,
    "all": (*_NUMBERS, *_SYMBOLS),
}
_FACE = 192  # pixels of a card's face


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A scene: the picture and, per card, its label and its bounds (left, top, right, bottom in pixels)."""

    image: Image.Image
    boxes: tuple[tuple[str, tuple[int, int, int, int]], ...]


def draw_card(label: str, *, side: int = _FACE, ink: Any = "black", paper: Any = "white") -> Image.Image:
    """The face of a card: a frame and one figure; 6 and 9 are underlined, as on dice and billiard balls."""
    big = 2 * side
    image = Image.new("RGB", (big, big), paper)
    draw = ImageDraw.Draw(image)
    edge = big // 24
    draw.rectangle((edge, edge, big - edge - 1, big - edge - 1), outline=ink, width=big // 28)
    if label in _NUMBERS:
        font = ImageFont.load_default(size=round(big * 0.84))
        draw.text(
            (big / 2, big * (0.46 if label in "69" else 0.49)),
            label,
            fill=ink,
            font=font,
            anchor="mm",
            stroke_width=big // 60,
            stroke_fill=ink,
        )
        if label in "69":
            draw.rectangle((big * 0.36, big * 0.83, big * 0.64, big * 0.87), fill=ink)
    else:
        _symbol(draw, label, big, ink, paper)
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _symbol(draw: ImageDraw.ImageDraw, label: str, side: int, ink: Any, paper: Any) -> None:
    def polygon(*points: tuple[float, float]) -> None:
        draw.polygon([(x * side, y * side) for x, y in points], fill=ink)

    def disc(x: float, y: float, radius: float, fill: Any = ink) -> None:
        draw.ellipse([(x - radius) * side, (y - radius) * side, (x + radius) * side, (y + radius) * side], fill=fill)

    if label == "circle":
        disc(0.5, 0.5, 0.3)
    elif label == "triangle":
        polygon((0.5, 0.2), (0.82, 0.76), (0.18, 0.76))
    elif label == "square":
        polygon((0.24, 0.24), (0.76, 0.24), (0.76, 0.76), (0.24, 0.76))
    elif label == "star":
        tips = [(0.34 if i % 2 == 0 else 0.14, math.pi * (i / 5 - 0.5)) for i in range(10)]
        polygon(*[(0.5 + r * math.cos(a), 0.52 + r * math.sin(a)) for r, a in tips])
    elif label == "heart":
        disc(0.37, 0.39, 0.155)
        disc(0.63, 0.39, 0.155)
        polygon((0.235, 0.465), (0.765, 0.465), (0.5, 0.8))
    elif label == "cross":
        polygon((0.41, 0.2), (0.59, 0.2), (0.59, 0.8), (0.41, 0.8))
        polygon((0.2, 0.41), (0.8, 0.41), (0.8, 0.59), (0.2, 0.59))
    elif label == "moon":
        disc(0.47, 0.5, 0.3)
        disc(0.6, 0.43, 0.26, paper)
    elif label == "arrow":
        polygon((0.5, 0.18), (0.8, 0.5), (0.6, 0.5), (0.6, 0.82), (0.4, 0.82), (0.4, 0.5), (0.2, 0.5))
    elif label == "drop":
        disc(0.5, 0.6, 0.2)
        polygon((0.5, 0.17), (0.692, 0.545), (0.308, 0.545))
    elif label == "stairs":
        polygon((0.2, 0.8), (0.2, 0.6), (0.4, 0.6), (0.4, 0.4), (0.6, 0.4), (0.6, 0.2), (0.8, 0.2), (0.8, 0.8))
    else:
        raise unknown("card", label, DECKS["all"])


def draw_scene(
    labels: tuple[str, ...], *, size: tuple[int, int], rng: np.random.Generator, cards: int, near: bool = False
) -> Drawn:
    """A picture of `cards` cards, drawn from `labels`, that lie or stand apart from one another before something.

    near: cards take up much of the picture, as when one is held up to the camera.
    """
    scene = _background(size, rng)
    _clutter(scene, rng)
    boxes: list[tuple[str, tuple[int, int, int, int]]] = []
    for _ in range(cards):
        label = labels[int(rng.integers(len(labels)))]
        for _ in range(20):
            laid = _laid(label, size, rng, near)
            bounds = laid.getchannel("A").point(lambda v: 255 * (v > 127)).getbbox()
            if bounds is None or min(bounds[:2]) < 1 or bounds[2] >= size[0] or bounds[3] >= size[1]:
                continue
            if not any(_touch(bounds, other) for _, other in boxes):
                scene.paste(laid.convert("RGB"), (0, 0), laid.getchannel("A"))
                boxes.append((label, bounds))
                break
    return Drawn(image=_photographed(scene, rng), boxes=tuple(boxes))


def _touch(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> bool:
    return a[0] < b[2] + 2 and b[0] < a[2] + 2 and a[1] < b[3] + 2 and b[1] < a[3] + 2


def _laid(label: str, size: tuple[int, int], rng: np.random.Generator, near: bool) -> Image.Image:
    """One card somewhere in an empty RGBA picture, turned in space."""
    if rng.random() < 0.7:
        ink: tuple[int, ...] = tuple(rng.integers(0, 60, 3).tolist())
        paper: tuple[int, ...] = tuple(rng.integers(225, 256, 3).tolist())
    else:
        ink = tuple(rng.integers(0, 130, 3).tolist())
        paper = tuple(rng.integers(170, 256, 3).tolist())
    face = draw_card(label, ink=ink, paper=paper).convert("RGBA")
    low, high = (0.4, 0.85) if near else (0.18, 0.6)
    side = min(size) * math.exp(rng.uniform(math.log(low), math.log(high)))
    angles = np.deg2rad(rng.normal(0, (22, 22, 10)).clip(-50, 50))
    corners = _projected(angles, side)
    spare = np.array(size) - np.ptp(corners, axis=0)
    corners += -corners.min(0) + spare * rng.uniform(0.02, 0.98, 2)
    return face.transform(
        size,
        Image.Transform.PERSPECTIVE,
        _perspective(corners, face.width),
        Image.Resampling.BICUBIC,
        fillcolor=(0, 0, 0, 0),
    )


def _projected(angles: NDArray[np.float64], side: float) -> NDArray[np.float64]:
    """The four corners of a square card, turned about x, y and z, seen from five sides away: [4, 2]."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    turn = (
        np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        @ np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    )
    flat = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * side / 2
    space = flat @ turn.T
    return np.asarray(space[:, :2] * (5 * side / (5 * side + space[:, 2:])), np.float64)


def _perspective(corners: NDArray[np.float64], side: int) -> tuple[float, ...]:
    """The eight numbers of the map from picture to face, as Pillow takes them."""
    face = [(0, 0), (side, 0), (side, side), (0, side)]
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, face, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows, float), np.array(values, float)).tolist())


def _background(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """A table, wall, floor or cloth: noise of several sizes, with stripes, tiles or grain, in two colours."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width] / max(size)
    pattern = sum(_cloud(size, cells, rng) / (1 + n) for n, cells in enumerate((3, 8, 24)))
    angle, pitch = rng.uniform(0, math.pi), rng.uniform(6, 40)
    along = math.cos(angle) * x + math.sin(angle) * y
    across = -math.sin(angle) * x + math.cos(angle) * y
    kind = rng.integers(5)
    if kind == 1:  # wood
        pattern = pattern * 0.4 + np.sin(pitch * across * 6 + 3 * pattern)
    elif kind == 2:  # tiles
        seams = np.minimum(np.abs((along * pitch / 4) % 1 - 0.5), np.abs((across * pitch / 4) % 1 - 0.5))
        pattern = pattern * 0.5 + 2.0 * (seams > 0.03)
    elif kind == 3:  # checked cloth
        pattern = pattern * 0.3 + np.sign(np.sin(pitch * along * 3)) + np.sign(np.sin(pitch * across * 3))
    elif kind == 4:  # print: lines of dark strokes
        pattern = pattern * 0.3 + 1.5 * ((np.sin(pitch * across * 6) > 0.4) & (_cloud(size, 60, rng) > 0))
    low, high = np.percentile(pattern, (2, 98))
    share = np.clip((pattern - low) / max(high - low, 1e-6), 0, 1)[..., None] * rng.uniform(0.2, 1.0)
    one, other = rng.uniform(20, 240, 3), rng.uniform(20, 240, 3)
    return Image.fromarray((one * (1 - share) + other * share).astype(np.uint8))


def _cloud(size: tuple[int, int], cells: int, rng: np.random.Generator) -> NDArray[np.float64]:
    rough = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(rough.resize(size, Image.Resampling.BICUBIC), np.float64)


def _clutter(scene: Image.Image, rng: np.random.Generator) -> None:
    """Things that are no cards: boxes, discs, cables, blank sheets; a detector must learn to leave them alone."""
    draw = ImageDraw.Draw(scene)
    width, height = scene.size
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        a, b = rng.uniform(0.05, 0.35, 2) * min(scene.size)
        colour = tuple(rng.integers(0, 256, 3).tolist())
        kind = rng.integers(4)
        if kind == 0:
            angle = rng.uniform(0, math.pi)
            turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
            corners = np.array([[-a, -b], [a, -b], [a, b], [-a, b]]) @ turn.T / 1.5 + (x, y)
            outline = tuple(rng.integers(0, 256, 3).tolist())
            draw.polygon(
                [tuple(c) for c in corners.tolist()], fill=colour, outline=outline, width=int(rng.integers(1, 5))
            )
        elif kind == 1:
            draw.ellipse((x - a, y - b, x + a, y + b), fill=colour)
        elif kind == 2:
            points = np.cumsum(rng.normal(0, min(scene.size) / 6, (5, 2)), axis=0) + np.array([x, y])
            draw.line([tuple(p) for p in points.tolist()], fill=colour, width=int(rng.integers(1, 6)), joint="curve")
        else:
            start, end = sorted(rng.uniform(0, 360, 2).tolist())
            draw.arc((x - a, y - b, x + a, y + b), start, end, fill=colour, width=3)


def _photographed(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Light that falls off, a shadow, a colour cast, blur and grain, then the limits of 8 bits."""
    width, height = scene.size
    y, x = np.mgrid[0:height, 0:width] / max(scene.size)
    angle = rng.uniform(0, 2 * math.pi)
    light = 1 + rng.uniform(0, 0.5) * ((x - 0.5) * math.cos(angle) + (y - 0.5) * math.sin(angle)) * 2
    if rng.random() < 0.4:
        edge = (x - rng.uniform()) * math.cos(angle) + (y - rng.uniform()) * math.sin(angle)
        light = light * (1 - rng.uniform(0.1, 0.5) / (1 + np.exp(-edge * rng.uniform(10, 80))))
    cast = rng.uniform(0.85, 1.15, 3) * rng.uniform(0.55, 1.25)
    blur = rng.random()
    if blur < 0.35:
        scene = scene.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.4)) * min(scene.size) / 240))
    elif blur < 0.5:
        scene = _moved_during_exposure(scene, rng)
    pixels = np.asarray(scene, np.float64) * light[..., None] * cast
    pixels = pixels + rng.normal(0, rng.uniform(0, 9), pixels.shape) + rng.uniform(-12, 12)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _moved_during_exposure(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    step = rng.normal(0, 0.7, 2) * min(scene.size) / 240
    pixels = [
        np.asarray(
            scene.transform(
                scene.size, Image.Transform.AFFINE, (1, 0, k * step[0], 0, 1, k * step[1]), Image.Resampling.BILINEAR
            ),
            np.float32,
        )
        for k in (-1.5, -0.5, 0.5, 1.5)
    ]
    inner = np.mean(pixels, axis=0)
    return Image.fromarray(inner.astype(np.uint8))


def write_cards(
    folder: Path,
    *,
    task: Task,
    count: int,
    deck: Deck = "numbers",
    labels: tuple[str, ...] | None = None,
    near: bool = False,
    size: tuple[int, int] = (320, 240),
    seed: int = 0,
    force: bool = False,
    progress: Callable[[float], None] = lambda fraction: None,
) -> tuple[Path, ...]:
    """Draw a data set: a folder per class for a classifier, Pascal VOC for a detector (a tenth of it backgrounds).

    labels: only these cards of the deck. near: at most one card a picture, held up to the camera. Returns the files
    written. Raises `InputError` on a count or size that cannot be drawn.
    """
    if not 1 <= count <= 1_000_000:
        raise InputError(f"{count} pictures were asked for; 1 to 1,000,000 can be drawn.")
    if not all(32 <= side <= 4096 for side in size):
        raise InputError(f"The size {size[0]}x{size[1]} is out of reach; 32x32 to 4096x4096 can be drawn.")
    labels = labels or DECKS[deck]
    for label in labels:
        if label not in DECKS[deck]:
            raise unknown(f"card of the {deck}", label, DECKS[deck])
    written: list[Path] = []
    for number in range(count):
        for path, data in _files(number, folder, task, labels, size, seed, near):
            write_whole(path, data, force=force)
            written.append(path)
        progress((number + 1) / count)
    if task == "detect":
        path = folder / "labels.txt"
        write_whole(path, "".join(f"{label}\n" for label in labels), force=force)
        written.append(path)
    return tuple(written)


def _files(
    number: int, folder: Path, task: Task, labels: tuple[str, ...], size: tuple[int, int], seed: int, near: bool
) -> Iterator[tuple[Path, bytes | str]]:
    rng = np.random.default_rng([seed, number])
    name = f"card_{number:06}"
    if task == "classify":
        label = labels[number % len(labels)]
        yield folder / label / f"{name}.jpg", _jpeg(_one_card(label, size, rng).image, rng)
        return
    cards = 0 if rng.random() < 0.1 else 1 if near else int(rng.choice([1, 1, 2, 2, 3, 4]))
    drawn = draw_scene(labels, size=size, rng=rng, cards=cards, near=near)
    yield folder / "images" / f"{name}.jpg", _jpeg(drawn.image, rng)
    yield folder / "annotations" / f"{name}.xml", _voc(f"{name}.jpg", drawn)


def _one_card(label: str, size: tuple[int, int], rng: np.random.Generator) -> Drawn:
    while True:
        drawn = draw_scene((label,), size=size, rng=rng, cards=1, near=True)
        if drawn.boxes:
            return drawn


def _jpeg(image: Image.Image, rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(75, 96)))
    return buffer.getvalue()


def _voc(name: str, drawn: Drawn) -> str:
    objects = "".join(
        f"  <object>\n    <name>{escape(label)}</name>\n    <bndbox><xmin>{b[0]}</xmin><ymin>{b[1]}</ymin>"
        f"<xmax>{b[2]}</xmax><ymax>{b[3]}</ymax></bndbox>\n  </object>\n"
        for label, b in drawn.boxes
    )
    width, height = drawn.image.size
    return (
        f"<annotation>\n  <filename>{name}</filename>\n"
        f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n{objects}</annotation>\n"
    )


def write_sheets(path: Path, *, deck: Deck = "numbers", force: bool = False) -> int:
    """A PDF of A4 sheets with six cards of 85 mm each, to print and cut out; returns the number of sheets."""
    dots = 200 / 25.4  # per millimetre
    page, side = (round(210 * dots), round(297 * dots)), round(85 * dots)
    sheets = []
    labels = DECKS[deck]
    for start in range(0, len(labels), 6):
        sheet = Image.new("L", page, 255)
        for place, label in enumerate(labels[start : start + 6]):
            x = round((15 + 95 * (place % 2)) * dots)
            y = round((10 + 95 * (place // 2)) * dots)
            sheet.paste(draw_card(label, side=side).convert("L"), (x, y))
            ImageDraw.Draw(sheet).rectangle((x, y, x + side, y + side), outline=170)
        sheets.append(sheet)
    buffer = io.BytesIO()
    sheets[0].save(buffer, "PDF", save_all=True, append_images=sheets[1:], resolution=200.0)
    write_whole(path, buffer.getvalue(), force=force)
    return len(sheets)
