"""What kind of model a file holds: kmodel V1 to V5, byte-swapped, encrypted; and what loads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from k210kit import wire
from k210kit.errors import FormatError, UnsupportedError
from k210kit.wire import u32

__all__ = ["HeaderV1", "HeaderV4", "ModelKind", "recognise", "refuse_other_versions"]

_LDMK = int.from_bytes(b"LDMK", "little")
_SMODEL = 10003  # first word of an encrypted model; MaixPy facts
_EMODEL = 0x454D444C


@dataclass(frozen=True, kw_only=True)
class HeaderV1:
    """The start of a kmodel V1, by the C# compiler of 2018."""

    version: int = u32("1")
    flags: int = u32("flags")
    layer_count: int = u32("layers")
    max_start_address: int = u32("lowest KPU line used")
    layers_argument_start: int = u32("file offset of the layers' arguments")


@dataclass(frozen=True, kw_only=True)
class HeaderV4:
    """The start of a kmodel V4, by nncase 0.2."""

    identifier: int = u32("LDMK")
    version: int = u32("4")
    flags: int = u32("flags")
    target: int = u32("0: CPU, 1: K210")
    constants_bytes: int = u32("bytes of constants")
    main_memory_bytes: int = u32("bytes of main memory")
    node_count: int = u32("nodes")
    input_count: int = u32("inputs")
    output_count: int = u32("outputs")
    reserved: int = u32("0")


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """What a model file is, for whoever has to load it."""

    kind: str  # kmodel, kmodel-swapped, smodel, emodel
    version: int
    loads_on: str
    facts: dict[str, int]  # what the header tells
    inputs: tuple[str, ...] = ()  # shapes, where the file tells them: batch x channels x height x width


_LOADS_ON = {
    1: "SDK programs of 2018; no MaixPy of today",
    3: "every MaixPy firmware by kpu.load (address or path); by kpu.load_flash once byte-swapped (k210kit swap)",
    4: "MaixPy firmware with kmodel V4 support (full, *_kmodel_v4_*, m5stickv), by kpu.load only",
    5: "programs built with nncase 1.x (CanMV and others); no stock MaixPy",
}


def recognise(data: bytes) -> ModelKind | None:
    """Tell which kind of model the bytes are by their first words; None if none of them."""
    if len(data) < 8:
        return None
    first, second = (int.from_bytes(data[i : i + 4], "little") for i in (0, 4))
    if first == _LDMK and second in (4, 5):
        facts = _facts(HeaderV4, data) if second == 4 else {}
        inputs = _inputs_v4(data, facts.get("input_count", 0))
        return ModelKind(kind="kmodel", version=second, loads_on=_LOADS_ON[second], facts=facts, inputs=inputs)
    if first == 3:
        return ModelKind(kind="kmodel", version=3, loads_on=_LOADS_ON[3], facts={})
    if first == 1 and len(data) > wire.size(HeaderV1) and 0 < wire.read(HeaderV1, data).layer_count < 4096:
        return ModelKind(kind="kmodel", version=1, loads_on=_LOADS_ON[1], facts=_facts(HeaderV1, data))
    if data[:4] in (b"\0\0\0\3", b"KMDL"):
        swapped = "every MaixPy firmware by kpu.load_flash; never by kpu.load"
        version = 3 if data[:1] == b"\0" else int.from_bytes(data[4:8], "big")
        told = swapped if version == 3 else "nothing: load_flash takes kmodel V3 only"
        return ModelKind(kind="kmodel-swapped", version=version, loads_on=told, facts={})
    if first == _SMODEL:
        return ModelKind(kind="smodel", version=3, loads_on="the one board whose key encrypted it", facts={})
    if first == _EMODEL:
        return ModelKind(kind="emodel", version=3, loads_on="firmware that holds its key", facts={})
    return None


def _inputs_v4(data: bytes, count: int) -> tuple[str, ...]:
    """The input shapes of a kmodel V4: behind the header and four words per input lie four signed words per input."""
    start = wire.size(HeaderV4) + count * 16
    if not count or start + count * 16 > len(data):
        return ()
    words = [int.from_bytes(data[i : i + 4], "little", signed=True) for i in range(start, start + count * 16, 4)]
    return tuple("x".join(map(str, words[4 * k : 4 * k + 4])) for k in range(count))


def _facts(record: Any, data: bytes) -> dict[str, int]:
    if len(data) < wire.size(record):
        return {}
    header = wire.read(record, data)
    return {f.name: getattr(header, f.name) for f in wire.fields(record)}


def refuse_other_versions(data: bytes) -> None:
    """Raise unless the bytes start like a kmodel V3, saying what they are instead and what to do."""
    kind = recognise(data)
    if kind and kind.kind == "kmodel" and kind.version == 3:
        return
    if kind is None:
        found = f"the bytes {data[:4].hex(' ')}" if data else "an empty file"
        expected = "3 (k210kit inspect tells what the file is)"
        raise FormatError("this is no kmodel", field="version", offset=0, found=found, expected=expected)
    if kind.kind == "kmodel-swapped":
        raise UnsupportedError(
            "This kmodel is byte-swapped for kpu.load_flash. Swap it back first: k210kit swap IN OUT."
        )
    name = f"kmodel V{kind.version}" if kind.kind == "kmodel" else kind.kind
    raise UnsupportedError(
        f"This is a {name}, not a kmodel V3. It loads on: {kind.loads_on}. "
        "Compile the source model again: k210kit compile MODEL -o OUT.kmodel."
    )
