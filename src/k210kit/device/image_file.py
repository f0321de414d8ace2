"""Flashing onto a pretend board whose chip is an image file: the same path as onto a real one, on a modelled clock."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from k210kit.errors import InputError, KitError, MissingExtraError

from .flash_chip import FlashChip
from .flasher import Flashed, FlashOptions, Told, flash
from .plan import FlashPlan
from .stub import flash_program, placeholder_program
from .virtual import Faults, VirtualPort, VirtualSource

__all__ = ["VIRTUAL_PREFIX", "flash_image", "parse_faults"]

VIRTUAL_PREFIX = "virtual:"


def flash_image(
    plan: FlashPlan,
    path: Path,
    options: FlashOptions | None = None,
    *,
    faults: Faults | None = None,
    told: Told | None = None,
    event: Callable[[str], None] | None = None,
) -> Flashed:
    """Flash `plan` onto the image file at `path` (made if it is not there), then compare the chip with the plan.

    The image is saved after a failure too, half written as a real chip would be. Seconds are those of the model.
    """
    chip = FlashChip.load(path)
    port = VirtualPort(chip, faults=faults or Faults(), name=f"{VIRTUAL_PREFIX}{path}")
    try:
        result = flash(plan, VirtualSource(port), _program, options, told, event)
    finally:
        chip.save(path)
    for file in plan.files:
        if options is None or file.address >= options.resume_at:
            _compare(chip, file.name, file.address, file.data)
    return dataclasses.replace(result, board="virtual", verified_by="the pretend chip was read back and compared")


def parse_faults(texts: list[str]) -> Faults:
    """Faults as the command line gives them: `flip=1e-5`, `unplug_after=100000`, `cut_in_write=2:0.5`."""
    kinds = {field.name: field.type for field in dataclasses.fields(Faults)}
    values: dict[str, float | int | tuple[int, float]] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            if name == "cut_in_write":
                number, _, share = value.partition(":")
                values[name] = (int(number), float(share))
            else:
                values[name] = float(value) if "float" in str(kinds[name]) else int(value)
        except (KeyError, ValueError):
            known = ", ".join(kinds)
            raise InputError(f"{text!r} is no fault; expected NAME=NUMBER with one of {known}.") from None
    return Faults(**values)  # type: ignore[arg-type]  # each value was made for its field above


def _program() -> bytes:
    try:
        return flash_program()
    except MissingExtraError:  # a pretend board runs nothing: without kflash it takes a placeholder
        return placeholder_program()


def _compare(chip: FlashChip, name: str, address: int, data: bytes) -> None:
    if chip.read(address, len(data)) != data:
        raise KitError(f"The pretend chip does not hold {name!r} at 0x{address:X} as it was sent. Please report this.")
