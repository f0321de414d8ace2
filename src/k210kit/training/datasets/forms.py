"""The table of data set forms; each reader joins it with `@form` where it is defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from k210kit.errors import InputError, unknown

from .foreign import foreign_export, tell_unread_pictures
from .records import Dataset, Findings, Part, Picture, Task, tidy_label
from .store import Store, is_picture, open_store

__all__ = ["FORMS", "PARTS", "Form", "Read", "form", "labels_of", "part_of", "read_dataset"]


@dataclass(frozen=True, kw_only=True)
class Read:
    """What a reader found: `labels` in the order of the class numbers if the data set gives one, else None."""

    pictures: list[Picture]
    labels: list[str] | None = None


Reader = Callable[[Store, Findings], Read]


@dataclass(frozen=True, kw_only=True)
class Form:
    """One row of the table."""

    name: str
    title: str
    recognises: Callable[[Store], bool]
    read: Reader


FORMS: dict[str, Form] = {}
# most particular first: a folder per class is what is left
_ORDER = ("tfrecord", "coco", "labelme", "cvat", "voc", "lines", "yolo", "csv", "folders")


def form(name: str, title: str, recognises: Callable[[Store], bool]) -> Callable[[Reader], Reader]:
    """Put a reader into the table."""

    def join(read: Reader) -> Reader:
        FORMS[name] = Form(name=name, title=title, recognises=recognises, read=read)
        return read

    return join


PARTS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def part_of(name: str) -> Part | None:
    """What a folder of the picture's path says that it is for."""
    return next((PARTS[p.lower()] for p in PurePosixPath(name).parts[:-1] if p.lower() in PARTS), None)


def read_dataset(path: Path, *, task: Task | None = None, form_name: str | None = None) -> Dataset:
    """Read a data set of any known form; faults of single files become findings.

    Raises `InputError` if nothing usable is there, or if the data cannot serve `task`.
    """
    findings = Findings()
    store = open_store(path, findings)
    if form_name is not None and form_name not in FORMS:
        raise unknown("data set form", form_name, FORMS)
    known = [FORMS[form_name]] if form_name else [FORMS[n] for n in _ORDER if FORMS[n].recognises(store)]
    if (not known or known[0].name == "folders") and (foreign := foreign_export(store)):
        raise InputError(f"{path}: {foreign}")
    if not known:
        raise InputError(_nothing_known(path, store))
    tell_unread_pictures(store, findings)
    chosen = known[0]
    read = chosen.read(store, findings)
    pictures = [p if p.part else replace(p, part=part_of(p.name)) for p in read.pictures]
    has_labels = any(p.label is not None for p in pictures)
    wanted = task or ("classify" if has_labels else "detect")
    pictures = _for_task(pictures, wanted, path, findings)
    labels = labels_of(pictures, read.labels)
    if not pictures:
        told = "; ".join(f"{f.file}: {f.what}" for f in list(findings)[:3])
        raise InputError(f"{path}: no usable picture was found in the form {chosen.title}. {told}".rstrip())
    return Dataset(
        title=store.title,
        form=chosen.title,
        task=wanted,
        labels=tuple(labels),
        pictures=tuple(pictures),
        findings=findings,
    )


def labels_of(pictures: list[Picture], given: list[str] | None) -> list[str]:
    """The class names in use, in the given order if there is one, else numbers by value and then names."""
    used = {p.label for p in pictures if p.label is not None} | {b.label for p in pictures for b in p.boxes}
    if given is not None:
        return [label for label in dict.fromkeys(map(tidy_label, given)) if label in used]
    return sorted(used, key=lambda text: (not text.isdecimal(), int(text) if text.isdecimal() else 0, text))


def _for_task(pictures: list[Picture], task: Task, path: Path, findings: Findings) -> list[Picture]:
    if task == "detect":
        if not any(p.boxes for p in pictures):
            raise InputError(
                f"{path} holds no boxes, and a detector learns from boxes. Train a classifier with --task classify, "
                "or give a data set with boxes (Pascal VOC, COCO, YOLO txt, VoTT TFRecord, LabelMe, CSV)."
            )
        return pictures
    kept = []
    for picture in pictures:
        inside = {box.label for box in picture.boxes}
        if picture.label is not None:
            kept.append(picture)
        elif len(inside) == 1:
            kept.append(replace(picture, label=inside.pop(), boxes=()))
        else:
            findings.error(picture.name, f"has boxes of {len(inside)} classes; a classifier needs exactly one")
    return kept


def _nothing_known(path: Path, store: Store) -> str:
    pictures = sum(map(is_picture, store.names))
    seen = ", ".join(store.names[:4]) or "nothing"
    return (
        f"{path} is not a data set that is known here: {len(store.names)} files, {pictures} of them pictures "
        f"(first: {seen}). Known: {'; '.join(f.title for f in FORMS.values())}."
    )
