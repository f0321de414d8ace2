"""MaixPy's KPU library, kmodel V3: what it allocates, in which order, and the code that it returns.

Every path was executed in the published firmware; sizes, order and codes follow those 168 cases. What is undefined on a
board (it reads or writes foreign memory, or never returns) is an `UndefinedOnBoardError` here.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.emulator.board import Board
from k210kit.emulator.system_memory import SystemBlock
from k210kit.errors import InputError, UnsupportedError
from k210kit.kmodel import Conv, FullyConnected, Kmodel, read_kmodel
from k210kit.package.swap import swap_words
from k210kit.simulator import Machine
from k210kit.timing import Load

__all__ = ["KpuError", "KpuLibrary", "LoadedModel", "UndefinedOnBoardError"]

PARAM, VERSION, FORMAT, DECRYPT, READ_FILE, NO_MEMORY, GET_CONV, RUN_MODEL, MODELS_FULL = range(2001, 2010)
_MOST_MODELS = 5
_MOST_BYTES = 6 * 1024 * 1024
_CONTEXT, _HEADER_BUFFER, _ALIGN_SLACK = 192, 4352, 256
_HEADER_READ = 4096
_RUNNABLE = frozenset({1, 2, 5, 8, 9, *range(11, 19), *range(20, 26), *range(10240, 10244)})
_FLOATS = frozenset({1, 5, 9, 12, 14, 15, 16, 18, 20, 22, 24, 25})
_BYTES = frozenset({2, 8, 10, 11, 13, 17, 19, 21, 23, *range(10240, 10244)})


class KpuError(Exception):
    """A code of the library other than 0."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(str(code))


class UndefinedOnBoardError(UnsupportedError):
    """On a board this crashes, hangs, or uses memory that is not its own; the emulator stops here instead."""


def type_code(layer_type: int) -> str:
    """How the firmware reads a result of that layer: `f`, `B`, or nothing."""
    return "f" if layer_type in _FLOATS else "B" if layer_type in _BYTES else ""


@dataclass(kw_only=True)
class LoadedModel:
    """A model in one of the five slots."""

    data: bytes  # the little-endian image
    size: int  # what `model_size` tells
    load: Load
    spi_hz: int = 0
    blocks: list[SystemBlock] = field(default_factory=list)
    layers_used: int | None = None  # after set_layers
    destroyed: bool = False
    results: list[NDArray[np.uint8]] = field(default_factory=list)  # bytes of each output, in place
    seconds: float | None = None  # of one forward
    _kmodel: Kmodel | None = None
    _machines: dict[bool, Machine] = field(default_factory=dict)

    @property
    def kmodel(self) -> Kmodel:
        """The model, parsed at its first use as the library reads it only then."""
        if self._kmodel is None:
            try:
                self._kmodel = read_kmodel(self.data)
            except InputError as failure:
                raise UndefinedOnBoardError(
                    f"The model at hand is damaged ({failure}) MaixPy does not check this and would use whatever "
                    "memory follows. Compile or flash the model again."
                ) from None
        return self._kmodel

    @property
    def layer_types(self) -> list[int]:
        count, outputs = _word(self.data, 12), _word(self.data, 24)
        start = 28 + 8 * outputs
        return [_word(self.data, start + 8 * i) for i in range(count)]

    @property
    def layer_count(self) -> int:
        return self.layers_used if self.layers_used is not None else _word(self.data, 12)

    def machine(self, *, dma: bool) -> Machine:
        """The simulator for this model; with `dma` results are copied as the SDK does."""
        if dma not in self._machines:
            made = Machine(self.kmodel, runtime="maixpy")
            if dma:
                made.runtime = dataclasses.replace(made.runtime, copies_with_the_cpu=False)
            self._machines[dma] = made
        return self._machines[dma]


class KpuLibrary:
    """The library with its five slots, on one board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._slots: list[LoadedModel | None] = []

    # loading ----------------------------------------------------------------------------------------------------
    def load_path(self, path: str) -> LoadedModel:
        """kpu.load("/sd/m.kmodel")."""
        return self._load(lambda: self._read_file(path))

    def load_address(self, address: int) -> LoadedModel:
        """kpu.load(0x300000)."""
        return self._load(lambda: self._read_flash(address))

    def _load(self, read: Callable[[], bytes]) -> LoadedModel:
        self._check_slots()
        blocks: list[SystemBlock] = []
        try:
            self._take(blocks, 1)
            data = read()
            self._take(blocks, len(data) + _ALIGN_SLACK)
            self._take(blocks, _CONTEXT)
            if len(data) < 28:
                raise UndefinedOnBoardError(
                    f"The file has {len(data)} bytes, less than a kmodel's header. MaixPy reads on behind it."
                )
            if _word(data, 8) != 0:
                raise KpuError(VERSION)
            self._take(blocks, _word(data, 20))
        except (KpuError, UndefinedOnBoardError):
            _free(blocks[1:] + blocks[:1])
            raise
        return self._keep(LoadedModel(data=data, size=len(data), load="ram", blocks=blocks))

    def _read_file(self, path: str) -> bytes:
        try:
            with self._board.files.open(path, "rb") as stream:
                data: bytes = stream.read(_MOST_BYTES + 1)
        except OSError:
            raise KpuError(READ_FILE) from None
        if len(data) < 8:
            raise KpuError(READ_FILE)
        self._check_version(_word(data, 0))
        if len(data) > _MOST_BYTES:
            raise KpuError(FORMAT)
        return data

    def _read_flash(self, address: int) -> bytes:
        flash = self._board.flash
        header = flash.read(address, 28)
        self._check_version(_word(header, 0))
        layers, outputs = _word(header, 12), _word(header, 24)
        if layers > 4096 or outputs > 4096:
            raise UndefinedOnBoardError(
                f"The header at 0x{address:X} tells of {layers:,} layers and {outputs:,} outputs; MaixPy believes it."
            )
        table = flash.read(address + 28 + 8 * outputs, 8 * layers)
        sizes = [_word(table, 8 * i + 4) for i in range(layers)]
        if 0 in sizes:
            raise KpuError(FORMAT)
        total = 28 + 8 * outputs + sum(8 + size for size in sizes)
        if total > _MOST_BYTES:
            self._board.print("model size err\n")
            raise KpuError(FORMAT)
        return flash.read(address, total)

    def load_flash(self, address: int, dual: bool, batch_size: int, spi_hz: int) -> LoadedModel:
        """kpu.load_flash(address, dual, batch, spi speed): bodies stay in flash, big-endian."""
        self._check_slots()
        blocks: list[SystemBlock] = []
        try:
            for size in (1, _CONTEXT, _HEADER_BUFFER):
                self._take(blocks, size)
            self._board.print(f"SPI freq {spi_hz} Hz\n")
            header = swap_words(self._board.flash.read(address, _HEADER_READ))
            if _word(header, 0) != 3 or _word(header, 8) != 0:
                raise KpuError(VERSION)
            self._take(blocks, _word(header, 20))
            sizes = _body_sizes(header)
            largest = max(sizes, default=0) + _ALIGN_SLACK
            taken = [self._board.heap.allocate(largest, "model") for _ in range(2 if dual else 1)]
            blocks.extend(block for block in taken if block is not None)
            if None in taken:
                raise KpuError(NO_MEMORY)
        except KpuError:
            _free(blocks[4:] + blocks[2:3] + blocks[3:4] + blocks[1:2] + blocks[:1])
            raise
        _check_flash_limits(header, sizes, dual, batch_size)
        data = swap_words(self._board.flash.read(address, 28 + 8 * _word(header, 24) + sum(8 + s for s in sizes)))
        made = LoadedModel(
            data=data, size=len(data), load="flash-dual" if dual else "flash", spi_hz=spi_hz, blocks=blocks
        )
        return self._keep(made)

    def _check_version(self, word: int) -> None:
        if word != 3:
            raise KpuError(VERSION)

    def _check_slots(self) -> None:
        if sum(slot is not None for slot in self._slots) >= _MOST_MODELS:
            raise KpuError(MODELS_FULL)

    def _take(self, blocks: list[SystemBlock], size: int) -> None:
        block = self._board.heap.allocate(size, "model")
        if block is None:
            raise KpuError(NO_MEMORY)
        blocks.append(block)

    def _keep(self, model: LoadedModel) -> LoadedModel:
        self._slots.append(model)
        return model

    def destroy(self, model: LoadedModel) -> None:
        """Free a model; a second time does nothing."""
        if model.destroyed:
            return
        model.destroyed = True
        order = [1, 3, 2, 0] if model.load == "ram" else [2, 3, *range(4, len(model.blocks)), 1, 0]
        _free([model.blocks[i] for i in order if i < len(model.blocks)])
        self._slots = [slot for slot in self._slots if slot is not model]

    # running ----------------------------------------------------------------------------------------------------
    def run(self, model: LoadedModel, values: NDArray[Any], *, dma: bool) -> None:
        """One forward; the results replace those of the forward before, in the same memory."""
        if model.destroyed:
            raise KpuError(PARAM)
        types = model.layer_types
        if not types or types[0] not in (18, 10240):
            raise KpuError(RUN_MODEL)
        strange = next((kind for kind in types[: model.layer_count] if kind not in _RUNNABLE), None)
        if strange is not None:
            raise UndefinedOnBoardError(
                f"The model has a layer of type {strange}. MaixPy stops in an assertion (`Layer is not supported.`) "
                "and never returns from forward."
            )
        with self._board.trusted():
            outputs = self._outputs(model, values, dma=dma)
        raw = [np.ascontiguousarray(output).reshape(-1).view(np.uint8) for output in outputs]
        if [r.size for r in raw] != [r.size for r in model.results]:
            model.results = [r.copy() for r in raw]
        for kept, new in zip(model.results, raw, strict=True):
            kept[...] = new

    def _outputs(self, model: LoadedModel, values: NDArray[Any], *, dma: bool) -> list[NDArray[Any]]:
        machine = model.machine(dma=dma)
        if model.layers_used is not None:
            return [_layer_result(model, machine, values)]
        made = machine.run(values)
        for warning in made.warnings:
            self._board.warn(warning)
        return made.outputs

    def output(self, model: LoadedModel, index: int) -> NDArray[np.uint8]:
        """The bytes of an output, valid until the next forward."""
        if model.destroyed or not 0 <= index < len(model.results):
            raise KpuError(PARAM)
        return model.results[index]

    def set_output_layer(self, model: LoadedModel, layers: int) -> None:
        """Let output 0 be the result of layer `layers`, counted from 1."""
        if model.load != "ram":
            raise UndefinedOnBoardError("KPU.set_layers after load_flash reads garbage addresses. Use kpu.load.")
        kind = model.layer_types[layers - 1]
        model.layers_used, model.results = layers, []
        if kind in (10241, 10243):
            self._board.print("not support output to mainbuf!\n")
        elif kind not in _RUNNABLE or 21 <= kind <= 25:
            self._board.print("Unknow layer type\n")


def _layer_result(model: LoadedModel, machine: Machine, values: NDArray[Any]) -> NDArray[Any]:
    assert model.layers_used is not None
    _, kept = machine.trace(values)
    layer = model.kmodel.layers[model.layers_used - 1]
    made = kept[model.layers_used - 1].reshape(-1)
    if isinstance(layer, Conv):
        if made.size > model.kmodel.main_memory_bytes:
            raise UndefinedOnBoardError(
                f"Layer {model.layers_used} makes {made.size:,} bytes, more than the model's main memory of "
                f"{model.kmodel.main_memory_bytes:,}: KPU.set_layers would overwrite the heap."
            )
        return made[:-1]  # the library reports one byte too few
    if layer.type in (1, 2):
        return made.view(np.uint8)[: made.size]  # elements counted as bytes
    return made


def _check_flash_limits(header: bytes, sizes: list[int], dual: bool, batch_size: int) -> None:
    """The limits of load_flash that the library does not check and that break a model silently."""
    start = 28 + 8 * _word(header, 24) + 8 * len(sizes)
    if start + 96 > _HEADER_READ:
        raise UndefinedOnBoardError(
            f"The layer table ends at byte {start:,}; load_flash reads header, table and the first layer's start from "
            f"the first 4,096 bytes only. Use kpu.load for this model."
        )
    if any(size % 4 for size in sizes):
        raise UndefinedOnBoardError("A layer's body is no multiple of 4 bytes; load_flash shifts its words.")
    if not dual:
        return
    if len(sizes) > 255:
        raise UndefinedOnBoardError(
            f"load_flash with two buffers counts layers in a byte; this model has {len(sizes)}."
        )
    if batch_size <= 0:
        raise UndefinedOnBoardError("load_flash with two buffers and batch_size 0 crashes. Give 0x4000 to 0x10000.")
    if _batch_overruns(sizes, batch_size):
        raise UndefinedOnBoardError(
            f"batch_size 0x{batch_size:X} packs more layers into a buffer than its {max(sizes):,} bytes hold: the heap "
            "is overwritten. Give at most the largest layer's size."
        )


def _batch_overruns(sizes: list[int], batch_size: int) -> bool:
    """Whether a group of layers is read beyond the buffer; the library drops only the last of a group."""
    largest, at = max(sizes), 0
    while at < len(sizes):
        total, count = 0, 0
        while at + count < len(sizes) and total < batch_size:
            total += sizes[at + count]
            count += 1
        if total > largest and count > 1:
            count -= 1
            total -= sizes[at + count]
        if total > largest + _ALIGN_SLACK:
            return True
        at += count
    return False


def _body_sizes(header: bytes) -> list[int]:
    start = 28 + 8 * _word(header, 24)
    count = min(_word(header, 12), max(0, (len(header) - start) // 8))
    return [_word(header, start + 8 * i + 4) for i in range(count)]


def first_is_float(model: LoadedModel) -> bool:
    """Whether the model starts with a fully connected layer, which takes a list of numbers."""
    return bool(model.kmodel.layers) and isinstance(model.kmodel.layers[0], FullyConnected)


def _word(data: bytes, offset: int) -> int:
    return int(struct.unpack_from("<I", data, offset)[0]) if offset + 4 <= len(data) else 0


def _free(blocks: list[SystemBlock]) -> None:
    for block in blocks:
        block.free()
