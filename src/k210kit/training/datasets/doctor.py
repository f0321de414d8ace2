"""The doctor: decodes every picture once, says per file what is wrong, and hands on what is good, ready for a net."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import InputError

from .forms import labels_of
from .pixels import Fit, InputSize, Placement, Upright, difference_hash, place, upright
from .records import Box, Dataset, Findings, Picture, Task

__all__ = ["UNBALANCED", "Examined", "Health", "Ready", "examine", "magnified", "small_things"]

_TINY_SIDE = 4.0  # pixels of the net's input below which a box holds nothing to learn from
_FIRST = 3  # reasons that a refusal tells
_SMALL_SIDE = 20.0  # likewise, below which a class is found badly: 14 pixels gave an AP at 0.5 of 0.3
_CURE = "A larger --input (up to 320x240) or pictures from nearer help."
_FEW = 20
UNBALANCED = 5.0  # times as many of one class as of another


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A good picture, as the net takes it.

    pixels: uint8 height, width, channel. label: class number, or -1 for a detector.
    boxes: float32 [n, 4], left, top, right, bottom in the net's input pixels; classes: int32 [n].
    """

    name: str
    source: Picture
    pixels: NDArray[np.uint8]
    label: int
    boxes: NDArray[np.float32]
    classes: NDArray[np.int32]
    placement: Placement
    size: tuple[int, int]
    digest: str
    hash: NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Health:
    """What the doctor says about the whole set."""

    pictures: int
    left_out: int
    per_class: dict[str, int]
    backgrounds: int
    findings: Findings


@dataclass(frozen=True, kw_only=True)
class Examined:
    """The good part of a data set."""

    title: str
    form: str
    task: Task
    labels: tuple[str, ...]
    ready: tuple[Ready, ...]
    health: Health
    size: InputSize
    fit: Fit


@dataclass(frozen=True, kw_only=True)
class _Decoded:
    picture: Picture
    boxes: tuple[Box, ...]
    pixels: NDArray[np.uint8]
    placement: Placement
    size: tuple[int, int]
    digest: str
    hash: NDArray[np.uint64]


def examine(
    dataset: Dataset,
    size: InputSize,
    *,
    fit: Fit | None = None,
    labels: tuple[str, ...] | None = None,
    progress: Callable[[float], None] = lambda fraction: None,
) -> Examined:
    """Decode, check and scale every picture; faults become findings and the rest is used.

    labels: the classes in the order of an existing model, in place of the data set's own.
    Raises `InputError` if too little is left to learn from.
    """
    chosen: Fit = fit or ("cover" if dataset.task == "classify" else "letterbox")
    decoded: list[_Decoded] = []
    with ThreadPoolExecutor() as pool:
        jobs = [(p, Findings()) for p in dataset.pictures]
        results = pool.map(lambda job: _decode(job[0], dataset.task, size, chosen, job[1]), jobs)
        for number, ((_, found), result) in enumerate(zip(jobs, results, strict=True), 1):
            dataset.findings.found += found.found
            decoded += [result] if result else []
            progress(number / len(jobs))
    if not decoded:
        told = "; ".join(f"{f.file} {f.what}" for f in list(dataset.findings)[:3])
        raise InputError(f"{dataset.title}: none of {len(dataset.pictures)} pictures can be used. {told}")
    decoded = _without_copies(decoded, dataset.task, dataset.findings)
    used = labels_of([replace(d.picture, boxes=d.boxes) for d in decoded], list(dataset.labels))
    names = tuple(used) if labels is None else labels
    ready = [r for d in decoded if (r := _ready(d, names, dataset.findings))]
    _whole(ready, names, dataset)
    return Examined(
        title=dataset.title,
        form=dataset.form,
        task=dataset.task,
        labels=names,
        ready=tuple(ready),
        health=_health(dataset, ready, names),
        size=size,
        fit=chosen,
    )


def _decode(picture: Picture, task: Task, size: InputSize, fit: Fit, findings: Findings) -> _Decoded | None:
    try:
        data = picture.read()
        seen = upright(data, near=size)
    except InputError as error:
        findings.error(picture.name, str(error).rstrip("."))
        return None
    for oddity in seen.oddities:
        findings.note(picture.name, oddity)
    width, height = _upright_size(seen)
    if min(width, height) < 8:
        findings.error(picture.name, f"has {width} x {height} pixels; too small to show anything")
        return None
    boxes = _good_boxes(picture, seen, (width, height), findings) if task == "detect" else ()
    if boxes is None:
        return None
    pixels, placement = place(seen.image, size, fit)
    draft = seen.image.size[0] / width  # a JPEG may have been decoded at 1/2, 1/4 or 1/8
    placement = replace(placement, scale_x=placement.scale_x * draft, scale_y=placement.scale_y * draft)
    return _Decoded(
        picture=picture,
        boxes=boxes,
        pixels=pixels,
        placement=placement,
        size=(width, height),
        digest=hashlib.sha256(data).hexdigest(),
        hash=difference_hash(seen.image),
    )


def _upright_size(seen: Upright) -> tuple[int, int]:
    width, height = seen.stored
    return (height, width) if seen.orientation in (5, 6, 7, 8) else (width, height)


def _good_boxes(picture: Picture, seen: Upright, size: tuple[int, int], findings: Findings) -> tuple[Box, ...] | None:
    """The boxes in pixels of the upright picture; None if every box of the picture is bad."""
    width, height = size
    good = []
    for box in picture.boxes:
        where = _in_pixels(box, picture, seen, size)
        told = f"{where.label!r} at {where.left:.0f},{where.top:.0f} to {where.right:.0f},{where.bottom:.0f}"
        if not all(map(np.isfinite, (where.left, where.top, where.right, where.bottom))):
            findings.error(picture.name, f"has a box of {where.label!r} whose corners are not finite; it is left out")
        elif where.right <= where.left or where.bottom <= where.top:
            findings.error(picture.name, f"has a box without size ({told}); it is left out")
        elif where.right <= 0 or where.bottom <= 0 or where.left >= width or where.top >= height:
            findings.error(picture.name, f"has a box outside its {width} x {height} pixels ({told}); it is left out")
        else:
            inside = replace(
                where,
                left=max(where.left, 0.0),
                top=max(where.top, 0.0),
                right=min(where.right, float(width)),
                bottom=min(where.bottom, float(height)),
            )
            over = max(-where.left, -where.top, where.right - width, where.bottom - height)
            if over > 1.5:
                findings.warning(picture.name, f"has a box that sticks out by {over:.0f} pixels ({told}); it is cut")
            if inside in good:
                findings.warning(picture.name, f"has the same box twice ({told}); one is kept")
            else:
                good.append(inside)
    if picture.boxes and not good:
        findings.error(picture.name, "has no good box left and is left out")
        return None
    _say_frame(picture, seen, size, findings)
    return tuple(good)


def _in_pixels(box: Box, picture: Picture, seen: Upright, size: tuple[int, int]) -> Box:
    if picture.frame is None:
        return box
    frame_w, frame_h = picture.frame
    if (frame_w, frame_h) == seen.stored and (frame_w, frame_h) != size:
        return _turned(box, frame_w, frame_h, seen.orientation)
    x, y = size[0] / frame_w, size[1] / frame_h
    return replace(box, left=box.left * x, right=box.right * x, top=box.top * y, bottom=box.bottom * y)


def _turned(box: Box, width: float, height: float, orientation: int) -> Box:
    """A box drawn on the stored pixels, on the upright picture (EXIF orientations 5 to 8 swap the axes)."""
    flip_x = orientation in (7, 8)  # along the stored x axis, which becomes the upright y axis
    flip_y = orientation in (6, 7)
    xs = (width - box.right, width - box.left) if flip_x else (box.left, box.right)
    ys = (height - box.bottom, height - box.top) if flip_y else (box.top, box.bottom)
    return replace(box, left=ys[0], right=ys[1], top=xs[0], bottom=xs[1])


def _say_frame(picture: Picture, seen: Upright, size: tuple[int, int], findings: Findings) -> None:
    if picture.frame is None or picture.frame in ((1.0, 1.0), size):
        return
    frame_w, frame_h = picture.frame
    if picture.frame == seen.stored:
        findings.note(picture.name, "was annotated lying on its side; the boxes are turned with it")
        return
    told = f"{frame_w:.0f} x {frame_h:.0f}, but the picture has {size[0]} x {size[1]}"
    same_shape = abs(frame_w / frame_h / (size[0] / size[1]) - 1) < 0.02
    level = findings.note if same_shape else findings.warning
    level(picture.name, f"was annotated at {told} pixels; the boxes are scaled")


def _without_copies(decoded: list[_Decoded], task: Task, findings: Findings) -> list[_Decoded]:
    """Drop byte-for-byte copies; copies under different labels are all dropped, since one label is wrong."""
    by_digest: dict[str, list[_Decoded]] = {}
    for item in decoded:
        by_digest.setdefault(item.digest, []).append(item)
    kept = []
    for copies in by_digest.values():
        first = copies[0]
        if task == "classify" and len({c.picture.label for c in copies}) > 1:
            names = ", ".join(f"{c.picture.name} ({c.picture.label})" for c in copies)
            findings.error(first.picture.name, f"is the same picture under different labels: {names}; all left out")
            continue
        for copy in copies[1:]:
            findings.warning(copy.picture.name, f"is a copy of {first.picture.name}; it is left out")
        kept.append(first)
    return kept


def _ready(item: _Decoded, names: tuple[str, ...], findings: Findings) -> Ready | None:
    label = item.picture.label
    unknown = sorted({b.label for b in item.boxes if b.label not in names})
    if label is not None and not item.boxes and label not in names:
        unknown = [label]
    if unknown:
        findings.error(item.picture.name, f"has the unknown label {', '.join(map(repr, unknown))} and is left out")
        return None
    p = item.placement
    corners = np.array([[b.left, b.top, b.right, b.bottom] for b in item.boxes], np.float32).reshape(-1, 4)
    corners = corners * np.array([p.scale_x, p.scale_y] * 2, np.float32)
    corners += np.array([p.shift_x, p.shift_y] * 2, np.float32)
    sides = corners[:, 2:] - corners[:, :2]
    if (tiny := int((sides.min(1, initial=1e9) < _TINY_SIDE).sum())) and len(sides):
        findings.note(item.picture.name, f"has {tiny} boxes under {_TINY_SIDE:.0f} pixels of the net's input")
    return Ready(
        name=item.picture.name,
        source=item.picture,
        pixels=item.pixels,
        label=-1 if label is None or item.boxes else names.index(label),
        boxes=corners,
        classes=np.array([names.index(b.label) for b in item.boxes], np.int32),
        placement=item.placement,
        size=item.size,
        digest=item.digest,
        hash=item.hash,
    )


def _whole(ready: list[Ready], names: tuple[str, ...], dataset: Dataset) -> None:
    """What is wrong with the set as a whole."""
    findings, title = dataset.findings, dataset.title
    if dataset.task == "classify" and len(names) < 2:
        why = "".join(f" {one.file} {one.what}." for one in [f for f in findings if f.level == "error"][:_FIRST])
        if not names:
            raise InputError(f"{title} holds no picture that can be used, of {len(dataset.pictures)}.{why}")
        raise InputError(
            f"{title} has one class only ({names[0]}); a classifier tells at least two apart. "
            f"Add a folder with pictures of something else.{why}"
        )
    counts = _counts(ready, names, dataset.task)
    for name, count in counts.items():
        if count < _FEW:
            findings.warning(title, f"has only {count} of {name!r}; {_FEW} are few, 100 are a start")
    if counts and max(counts.values()) > UNBALANCED * max(min(counts.values()), 1):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        findings.warning(title, f"is unbalanced: {counts[most]} of {most!r} for {counts[least]} of {least!r}")
    for name, side in small_things(ready, names).items():
        findings.warning(
            title,
            f"has {name!r} of typically {side:.0f} pixels in the input; such small things are found badly. {_CURE}",
        )
    if ready and (advice := _advice(ready, dataset.task)):
        findings.note(title, advice)
    for name in names:
        if not name.isascii():
            findings.note(title, f"has the label {name!r}; the camera's font has ASCII only and shows a number for it")
    stems = Counter(str(PurePosixPath(r.name).with_suffix("")).lower() for r in ready)
    for stem in (s for s, n in stems.items() if n > 1):
        findings.warning(stem, "is the name of several pictures that differ in their suffix; check their annotations")


def small_things(ready: Sequence[Ready], names: tuple[str, ...]) -> dict[str, float]:
    """The classes whose typical box is smaller than `_SMALL_SIDE`, with the side of a square of the same area."""
    if not any(len(r.boxes) for r in ready):
        return {}
    boxes, kinds = np.concatenate([r.boxes for r in ready]), np.concatenate([r.classes for r in ready])
    sides = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(1))
    typical = {name: float(np.median(sides[kinds == n])) for n, name in enumerate(names) if (kinds == n).any()}
    return {name: side for name, side in typical.items() if side < _SMALL_SIDE}


def magnified(examined: Examined, size: InputSize) -> float:
    """How much larger the pictures would be in an input of another size, typically."""
    pictures = np.array([r.size for r in examined.ready], np.float64)
    choose = np.min if examined.fit == "letterbox" else np.max
    now, then = (choose(np.array([s.width, s.height]) / pictures, axis=1) for s in (examined.size, size))
    return float(np.median(then / now))


def _advice(ready: list[Ready], task: Task) -> str:
    """What to say where much of the input is grey bars beside letterboxed pictures."""
    height, width = ready[0].pixels.shape[:2]
    ratio = float(np.median([r.size[0] / r.size[1] for r in ready]))
    used = float(np.median([r.size[0] * r.placement.scale_x * r.size[1] * r.placement.scale_y for r in ready]))
    if task == "classify" or used > 0.85 * width * height:
        return ""
    better = (width, width / ratio) if ratio > width / height else (height * ratio, height)
    across, down = (max(round(side / 8) * 8, 32) for side in better)
    return (
        f"is of pictures that fill {used / (width * height):.0%} of the input {width}x{height}; "
        f"--input {across}x{down} shows the same and is faster"
    )


def _counts(ready: list[Ready], names: tuple[str, ...], task: Task) -> dict[str, int]:
    found = Counter(n for r in ready for n in ([r.label] if task == "classify" else r.classes.tolist()))
    return {name: found[number] for number, name in enumerate(names)}


def _health(dataset: Dataset, ready: list[Ready], names: tuple[str, ...]) -> Health:
    return Health(
        pictures=len(ready),
        left_out=len(dataset.pictures) - len(ready),
        per_class=_counts(ready, names, dataset.task),
        backgrounds=sum(r.label < 0 and not len(r.boxes) for r in ready),
        findings=dataset.findings,
    )
