"""Run a kmodel: prepared once, then one picture after the other, every byte as the K210 has it."""

from __future__ import annotations

import importlib.util
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from k210kit.errors import InputError, UnsupportedError
from k210kit.hardware import GENERAL_MEMORY_BYTES, KPU_MEMORY_BYTES
from k210kit.kmodel import Conv, FullyConnected, Kmodel, Layer, memory
from k210kit.kmodel.arithmetic.runtimes import FloatMode, Runtime, RuntimeName, runtime_for
from k210kit.kmodel.arithmetic.threads import own_threads, pool, workers
from k210kit.kmodel.spans import Span, spans
from k210kit.kmodel.text import output_rows

__all__ = ["Machine", "Run", "simulate"]

Array = NDArray[Any]  # uint8 or float32: each model and layer has its own

_MOST_MAIN_MEMORY = 64 * 1024 * 1024
_SLACK = 64  # bytes behind main memory that a layer may touch, as the device's heap lets it


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one input gave: an array per output, and where the hardware is not known to give the same."""

    outputs: list[Array]
    warnings: list[str]


@dataclass(kw_only=True)
class Memories:
    """One run's memories; what `kmodel.layers.Machine` asks for."""

    main: NDArray[np.uint8]
    kpu: NDArray[np.uint8]
    runtime: Runtime
    accelerate: bool
    split: bool
    warnings: list[str] = field(default_factory=list)
    layer: str = ""

    @classmethod
    def empty(cls, main_bytes: int, *, runtime: Runtime, accelerate: bool = False, split: bool = False) -> Memories:
        """Memories full of zeros, `main_bytes` of them in main memory."""
        return cls(
            main=np.zeros(main_bytes + _SLACK, np.uint8),
            kpu=np.zeros(KPU_MEMORY_BYTES, np.uint8),
            runtime=runtime,
            accelerate=accelerate,
            split=split,
        )

    def bytes(self, address: int, count: int) -> NDArray[np.uint8]:
        if address + count > len(self.main):
            raise _outside(self.layer, address, address + count, len(self.main) - _SLACK)
        return self.main[address : address + count]

    def floats(self, address: int, count: int) -> NDArray[np.float32]:
        return self.bytes(address, 4 * count).view(np.float32)

    def doubt(self, text: str) -> None:
        warning = f"{self.layer}: {text}."
        if warning not in self.warnings:
            self.warnings.append(warning)


class Machine:
    """A K210 with a model in it, for any number of inputs.

    `runtime`: "maixpy" or "sdk"; `float_mode` of the SDK: "fma" as a board computes, or "strict", each operation
    rounded on its own. Memories start as zeros for every input, so that no input sees another's. `accelerate`: let
    numba make machine code, which takes half a second once; without it NumPy gives the same bytes, more slowly.
    """

    def __init__(
        self,
        model: Kmodel,
        *,
        runtime: RuntimeName = "maixpy",
        float_mode: FloatMode = "fma",
        accelerate: bool = True,
    ) -> None:
        self.model = model
        self.runtime = runtime_for(runtime, float_mode)
        self.accelerate = accelerate and importlib.util.find_spec("numba") is not None
        self.input_shape = model.input_shape
        self.names = tuple(f"Layer {i} {layer.name}" for i, layer in enumerate(model.layers))
        _check_main_memory(model, self.names)
        self._notes = [*_beyond_main_memory(model, self.names)]
        if runtime == "maixpy" and float_mode == "strict":
            self._notes.append(
                "MaixPy's library is known as it runs on a board, with fused floats: 'strict' is ignored."
            )
        self._shapes = _shapes(model)
        self._outputs = output_rows(model)

    def run(self, pixels: ArrayLike) -> Run:
        """Run one input: uint8 [channel, row, column], or float32 [n] where the model starts with floats."""
        with own_threads():
            return self._run(pixels, split=True)

    def run_all(self, inputs: Iterable[ArrayLike]) -> Iterator[Run]:
        """Run input after input, as many at a time as there are cores."""
        with own_threads():
            waiting: deque[Future[Run]] = deque()
            for item in inputs:
                waiting.append(pool().submit(self._run, item, split=False))
                if len(waiting) > 2 * workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _run(self, pixels: ArrayLike, *, split: bool) -> Run:
        memories = self._fresh(split=split)
        for _ in self._steps(memories, pixels):
            pass
        return Run(outputs=self._read_outputs(memories), warnings=[*self._notes, *memories.warnings])

    def trace(self, pixels: ArrayLike) -> tuple[Run, list[Array]]:
        """Run one input and keep what every layer made, in the layers' order."""
        memories = self._fresh(split=True)
        with own_threads():
            kept = [made.reshape(self._shapes[i]) for i, made in self._steps(memories, pixels)]
        return Run(outputs=self._read_outputs(memories), warnings=[*self._notes, *memories.warnings]), kept

    def _fresh(self, *, split: bool) -> Memories:
        return Memories.empty(
            self.model.main_memory_bytes, runtime=self.runtime, accelerate=self.accelerate, split=split
        )

    def _steps(self, memories: Memories, pixels: ArrayLike) -> Iterator[tuple[int, Array]]:
        self._feed(memories, pixels)
        for i, layer in enumerate(self.model.layers):
            memories.layer = self.names[i]
            try:
                made = layer.run(memories)
            except UnsupportedError as error:
                if str(error).startswith(memories.layer):
                    raise
                raise UnsupportedError(f"{memories.layer}: {error}") from error
            yield i, made

    def _feed(self, memories: Memories, pixels: ArrayLike) -> None:
        """Put the input where the runtime puts it: KPU memory, or main memory for a first FULLY_CONNECTED."""
        first = self.model.layers[0]
        dtype: type[np.generic] = np.float32 if isinstance(first, FullyConnected) else np.uint8
        given = np.asarray(pixels)
        size = int(np.prod(self.input_shape))
        if given.dtype != dtype or given.shape not in (self.input_shape, (1, *self.input_shape), (size,)):
            raise InputError(
                f"The input is {given.dtype} of shape {given.shape}; the model takes {np.dtype(dtype)} of shape "
                f"{self.input_shape}" + (" (channel, row, column)." if len(self.input_shape) == 3 else ".")
            )
        memories.layer = self.names[0]
        if isinstance(first, Conv):
            r = first.registers
            memory.write_map(memories.kpu, r.input_line, r.input_layout, given.reshape(r.input_shape))
        elif isinstance(first, FullyConnected):
            memories.floats(first.input, first.in_channels)[:] = given.reshape(-1)

    def _read_outputs(self, memories: Memories) -> list[Array]:
        made = []
        for row in self._outputs:
            raw = memories.bytes(row.address, row.bytes)
            if row.dtype == "float32" and row.bytes % 4 == 0:
                raw = raw.view(np.float32)
            shape = self._output_shape(row.address, raw.size) or (raw.size,)
            made.append(raw.copy().reshape(shape))
        return made

    def _output_shape(self, address: int, size: int) -> tuple[int, ...] | None:
        for i in range(len(self.model.layers) - 1, -1, -1):
            for span in spans(self.model.layers[i]).writes:
                if span.start == address and int(np.prod(span.shape)) == size:
                    return self._shapes[i]
        return None


def _check_main_memory(model: Kmodel, names: Sequence[str]) -> None:
    """Raise `UnsupportedError` if the buffer is larger than any device's, or a layer lies outside of it."""
    if model.main_memory_bytes > _MOST_MAIN_MEMORY:
        raise UnsupportedError(
            f"The model asks for {model.main_memory_bytes:,} bytes of main memory; a K210 has "
            f"{GENERAL_MEMORY_BYTES:,}, and at most {_MOST_MAIN_MEMORY:,} are simulated."
        )
    for layer, name in zip(model.layers, names, strict=True):
        for span in _all(layer):
            if span.end > model.main_memory_bytes + _SLACK:
                raise _outside(name, span.start, span.end, model.main_memory_bytes)


def _outside(layer: str, start: int, end: int, size: int) -> UnsupportedError:
    return UnsupportedError(
        f"{layer} uses bytes {start:,} to {end:,} of main memory; the model's header asks for {size:,}."
    )


def _beyond_main_memory(model: Kmodel, names: Sequence[str]) -> Iterator[str]:
    """A warning for each layer that, by a few bytes, leaves the buffer that the runtime allocates."""
    for layer, name in zip(model.layers, names, strict=True):
        end = max((span.end for span in _all(layer)), default=0)
        if model.main_memory_bytes < end <= model.main_memory_bytes + _SLACK:
            yield (
                f"{name}: it reaches byte {end:,} of main memory, of which the model's header asks for "
                f"{model.main_memory_bytes:,}: on a board it touches the heap's next block."
            )


def _all(layer: Layer) -> Iterator[Span]:
    told = spans(layer)
    yield from told.reads
    yield from told.writes


def _shapes(model: Kmodel) -> list[tuple[int, ...]]:
    """The shape of what each layer makes; a layer that works element by element keeps the shape of its input."""
    known: dict[int, tuple[int, ...]] = {}  # by address in main memory
    made = []
    for layer in model.layers:
        told = spans(layer)
        shape: tuple[int, ...]
        if isinstance(layer, Conv):
            shape = layer.registers.output_shape
        elif told.writes:
            shape = told.writes[0].shape
            source = known.get(told.reads[0].start, ()) if told.reads else ()
            if len(shape) < 3 and int(np.prod(shape)) == int(np.prod(source)) and _keeps_order(layer):
                shape = source
        else:
            shape = told.reads[0].shape if told.reads else ()
        for span in told.writes:
            known[span.start] = shape
        made.append(shape)
    return made


def _keeps_order(layer: Layer) -> bool:
    return layer.name in {"QUANTIZE", "DEQUANTIZE", "REQUANTIZE", "CHANNELWISE_DEQUANTIZE", "ADD", "LOGISTIC"}


def simulate(
    model: Kmodel, inputs: Iterable[ArrayLike], *, runtime: RuntimeName = "maixpy", float_mode: FloatMode = "fma"
) -> list[list[Array]]:
    """Run `model` on every input, bit for bit: per input one array per output.

    An input is uint8 [channel, row, column], or float32 [n] for a model that starts with FULLY_CONNECTED. Outputs are
    uint8 or float32, of shape [channel, row, column] where the model's layers tell it, else flat.
    """
    machine = Machine(model, runtime=runtime, float_mode=float_mode)
    return [run.outputs for run in machine.run_all(inputs)]
