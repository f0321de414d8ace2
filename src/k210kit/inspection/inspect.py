"""Find out what a file is by its content, and describe it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from k210kit.errors import FormatError, in_file
from k210kit.files import read_whole
from k210kit.kmodel import Conv, FullyConnected, Kmodel, UnknownLayer, read_kmodel, recognise
from k210kit.kmodel.text import LayerRow, OutputRow, layer_rows, output_rows
from k210kit.package import swap_words

__all__ = ["Inspection", "inspect"]

MOST_BYTES = 512 * 1024 * 1024  # of a file; data sets and float networks are the largest


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """What a file is and holds."""

    # kmodel, kmodel-swapped, smodel, emodel, kfpkg, firmware, flash, file system, tflite, onnx, keras, dataset
    kind: str
    version: int | str = ""  # a number of a kmodel, a text of other kinds
    loads_on: str
    layers: tuple[Mapping[str, object], ...] = ()
    main_memory_bytes: int | None = None
    kpu_memory_bytes: int | None = None  # the most that one layer's input and output take together
    multiply_adds: int | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[Mapping[str, object], ...] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    parts: tuple[tuple[str, Inspection], ...] = ()  # of a package or a flash image: name and what it is
    file: str = ""
    bytes: int = 0
    sha256: str = ""


def inspect(path: Path | str) -> Inspection:
    """Tell what a file is and what is in it; `FormatError` if it is none of the kinds the kit knows."""
    from .firmware import compare_with_name

    data = read_whole(Path(path), most_bytes=MOST_BYTES)
    with in_file(path):
        found = compare_with_name(describe(data), Path(path).name)
    return dataclasses.replace(
        found, file=str(path), bytes=len(data), sha256=hashlib.sha256(data).hexdigest()
    )  # fmt: skip


def describe(data: bytes) -> Inspection:
    """The same for bytes."""
    from .containers import describe_zip
    from .firmware import describe_firmware
    from .networks import describe_keras_h5, describe_onnx, describe_tflite

    tries: tuple[Callable[[bytes], Inspection | None], ...] = (
        describe_model,
        describe_tflite,
        describe_keras_h5,
        describe_zip,
        describe_firmware,
        describe_onnx,
    )
    for attempt in tries:
        found = attempt(data)
        if found is not None:
            return found
    raise FormatError(
        "this is no file of a kind that the kit knows", field="file", offset=0,
        found=f"{len(data):,} bytes that begin with {data[:8].hex(' ') or 'nothing'}",
        expected="a kmodel, kfpkg, MaixPy .bin, flash image, TFLite, ONNX, Keras file or a zip of pictures",
    )  # fmt: skip


def describe_model(data: bytes) -> Inspection | None:
    """A kmodel of any version, swapped or not, or an encrypted model."""
    kind = recognise(data)
    if kind is None:
        return None
    if kind.version == 3 and kind.kind == "kmodel":
        return describe_kmodel(read_kmodel(data), kind.loads_on)
    if kind.version == 3 and kind.kind == "kmodel-swapped":
        plain = describe_kmodel(read_kmodel(swap_words(data)), kind.loads_on)
        return dataclasses.replace(plain, kind=kind.kind)
    main_memory = kind.facts.get("main_memory_bytes")
    return Inspection(
        kind=kind.kind, version=kind.version, loads_on=kind.loads_on, main_memory_bytes=main_memory,
        facts=kind.facts, inputs=kind.inputs,
    )  # fmt: skip


def describe_kmodel(model: Kmodel, loads_on: str) -> Inspection:
    """A kmodel V3, layer by layer."""
    rows, outputs = layer_rows(model), output_rows(model)
    shape = "x".join(map(str, model.input_shape)) if _starts_well(model) else "?"
    return Inspection(
        kind="kmodel",
        version=3,
        loads_on=loads_on,
        layers=tuple(dataclasses.asdict(row) for row in rows),
        main_memory_bytes=model.main_memory_bytes,
        kpu_memory_bytes=max(map(_kpu_bytes, rows), default=0),
        multiply_adds=sum(row.multiply_adds for row in rows),
        inputs=(f"{shape} {'float32' if model.input_is_float else 'uint8'}",),
        outputs=tuple(dataclasses.asdict(row) for row in outputs),
        facts={"weights_bits": 8 if model.eight_bit_weights else 16, "max_start_address": model.max_start_address},
        warnings=tuple(_warnings(model, outputs)),
    )


def _starts_well(model: Kmodel) -> bool:
    return bool(model.layers) and isinstance(model.layers[0], Conv | FullyConnected)


def _kpu_bytes(row: LayerRow) -> int:
    return 64 * ((row.input_lines or (0, 0))[1] + (row.output_lines or (0, 0))[1])


def _warnings(model: Kmodel, outputs: list[OutputRow]) -> list[str]:
    found = []
    if not _starts_well(model):
        found.append("No runtime starts it: the first layer must be K210_CONV or FULLY_CONNECTED (error 2008).")
    if not model.eight_bit_weights:
        found.append("16-bit weights are unproven on hardware.")
    found += [f"Output {row.number}: no layer writes there." for row in outputs if row.layer == "none"]
    for i, layer in enumerate(model.layers):
        if isinstance(layer, FullyConnected) and layer.activation:
            found.append(f"Layer {i} FULLY_CONNECTED: MaixPy ignores its activation, the SDK does not.")
        if isinstance(layer, UnknownLayer):
            found.append(f"Layer {i} {layer.name}: no runtime runs it; forward stops there.")
    return found
