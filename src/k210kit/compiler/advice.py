"""What a report warns of: which layers cost much on the CPU or in main memory, how much, and the cure.

A net that spends more than a fifth of its time on the CPU, or takes more than 200,000 bytes of main memory, always
gets a warning. Times are estimates of `timing`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from k210kit.compiler.allocate import Placement
from k210kit.compiler.emit import Emitted
from k210kit.compiler.graph import Node
from k210kit.compiler.program import (
    AddPaddingStep,
    AveragePoolStep,
    Buffer,
    ConcatStep,
    ConvStep,
    DenseStep,
    DequantizeStep,
    FlattenStep,
    MaxPoolStep,
    Program,
    QuantizeStep,
    RemovePaddingStep,
    RequantizeStep,
    ResizeStep,
    Step,
    SumStep,
    UploadStep,
    VectorStep,
)
from k210kit.hardware import (
    FLASH_BYTES,
    GENERAL_MEMORY_BYTES,
    LOAD_FLASH_FIRST_LAYER_BYTES,
    LOAD_FLASH_HEADER_BYTES,
)
from k210kit.kmodel import layers
from k210kit.timing import CPU_HZ, InferenceTime, cpu_cycles

__all__ = ["CPU_SHARE", "MAIN_MEMORY_BYTES", "SMALLEST_SIDE", "advice", "owner_on_cpu"]

CPU_SHARE = 0.2
MAIN_MEMORY_BYTES = 200_000
SMALLEST_SIDE = 4  # pixels: nncase gives the KPU no smaller input, in any version, and no public model has one
_NOTABLE_SHARE, _NOTABLE_MILLISECONDS = 0.05, 0.5
_MOST = 4
_MOST_IN_A_ROW = 36

_KIND_CURES = {
    "mul": "Leave squeeze and excite out; a wider layer costs less than the product.",
    "multiply": "Leave squeeze and excite out; a wider layer costs less than the product.",
    "convtranspose": "Use a nearest resize of few channels and a 3x3 convolution behind it.",
    "transpose_conv": "Use a nearest resize of few channels and a 3x3 convolution behind it.",
    "conv2dtranspose": "Use a nearest resize of few channels and a 3x3 convolution behind it.",
}
_CURES: tuple[tuple[type[Step], str], ...] = (
    (MaxPoolStep, "Use pools of stride 1 or 2 on sides that the stride divides; those run on the KPU."),
    (ResizeStep, "Enlarge fewer channels: a 1x1 convolution before it, to half as many, halves this."),
    (VectorStep, "End the model before it, and compute it on the board for the boxes or classes that matter."),
    (AveragePoolStep, "Let fewer channels or pixels come to the mean: one more layer of stride 2, or a 1x1 before it."),
    (FlattenStep, "End the model before its last Transpose or Reshape; outputs as maps need no reordering."),
    (
        RequantizeStep,
        "Use an input whose sides all strides divide, as a multiple of 32: no zeros need to be added then.",
    ),
    (ConcatStep, "Keep whole channels together; slices, shuffles and reshapes in between move pixels one by one."),
    (SumStep, "Add maps before the mean or the flattening, where the KPU can."),
    (DenseStep, "A flat model runs on the CPU alone; there is no faster way on this chip."),
    (UploadStep, "Let only layers that run on the KPU follow each other."),
    (AddPaddingStep, "Put fully connected layers at the end only."),
    (RemovePaddingStep, "Use fewer outputs."),
    (DequantizeStep, "Use fewer outputs, or smaller ones: each element is copied and made a float."),
    (QuantizeStep, "Let only layers that run on the KPU follow each other."),
)
"""What to do about a layer, by the steps that it took; the first that it has counts."""


@dataclass(frozen=True, kw_only=True)
class _Cost:
    """What one layer of the model costs on the CPU, and the steps that it takes there."""

    node: Node
    milliseconds: float
    kinds: frozenset[type[Step]]
    reason: str

    @property
    def cure(self) -> str:
        known = _KIND_CURES.get(self.node.kind.lower())
        return known or next((text for kind, text in _CURES if kind in self.kinds), "Use fewer or smaller outputs.")


def advice(program: Program, placement: Placement, emitted: Emitted, time: InferenceTime) -> tuple[str, ...]:
    """The warnings, the most costly first."""
    return (
        *_of_time(program, emitted, time),
        *_of_kernels(emitted, time),
        *_of_memory(program, placement, emitted),
        *_of_size(emitted),
        *_of_stack(emitted),
        *_of_small_maps(program),
    )


def _of_time(program: Program, emitted: Emitted, time: InferenceTime) -> Iterator[str]:
    costs = sorted(_costs(program, emitted), key=lambda cost: -cost.milliseconds)
    on_cpu = sum(cost.milliseconds for cost in costs)
    least = max(_NOTABLE_SHARE * time.milliseconds, _NOTABLE_MILLISECONDS)
    told = [cost for cost in costs if cost.milliseconds >= least][:_MOST]
    if not told and on_cpu > CPU_SHARE * time.milliseconds:
        told = costs[:1]
    for cost in told:
        yield (
            f"{cost.node} costs {cost.milliseconds:.1f} of {time.milliseconds:.1f} ms on the CPU: {cost.reason}. "
            f"{cost.cure}"
        )


def _costs(program: Program, emitted: Emitted) -> list[_Cost]:
    """By layer of the model.

    What a convolution sends to main memory is a cost of the step that reads it there, and what is brought back of the
    step that made it.
    """
    found: dict[tuple[str, str], _Cost] = {}
    for layer, step in zip(emitted.kmodel.layers, emitted.steps, strict=True):
        cycles = cpu_cycles(layer)
        if not cycles:
            continue
        owner = owner_on_cpu(program, step)
        key = (owner.node.kind, owner.node.origin)
        before = found.get(key)
        reason = owner.reason if before is None or not before.reason else before.reason
        found[key] = _Cost(
            node=owner.node,
            milliseconds=1e3 * cycles / CPU_HZ + (before.milliseconds if before else 0.0),
            kinds=(before.kinds if before else frozenset()) | {type(owner)},
            reason=reason,
        )
    return list(found.values())


def owner_on_cpu(program: Program, step: Step) -> Step:
    """The step that the CPU's work for `step` is done for: who reads what is sent, who made what is brought back."""
    if isinstance(step, ConvStep) and step.main:
        return next((s for s in program.steps if step.main in s.reads()), step)
    if isinstance(step, UploadStep):
        return next((s for s in program.steps if step.source in s.writes()), step)
    return step


def _of_kernels(emitted: Emitted, time: InferenceTime) -> Iterator[str]:
    """Depthwise layers that the KPU has no kernel for: many layers each, see `passes/moved_copies.py`."""
    owners = {s.node.origin: s.node for s in emitted.steps if isinstance(s, ConvStep) and "/taps " in s.output}
    spent = dict.fromkeys(owners, 0.0)
    layers_of = dict.fromkeys(owners, 0)
    for step, layer in zip(emitted.steps, time.layers, strict=True):
        if step.node.origin in owners:
            spent[step.node.origin] += layer.milliseconds
            layers_of[step.node.origin] += 1
    total = sum(spent.values())
    if total >= max(_NOTABLE_SHARE * time.milliseconds, _NOTABLE_MILLISECONDS):
        dearest = max(spent, key=lambda origin: spent[origin])
        count = sum(layers_of.values())
        yield (
            f"Depthwise kernels above 3x3 cost {total:.1f} of {time.milliseconds:.1f} ms in {count:,} layers of the "
            f"KPU, {owners[dearest]} most: {spent[dearest]:.1f} ms. A 3x3 kernel is one layer."
        )


def _of_memory(program: Program, placement: Placement, emitted: Emitted) -> Iterator[str]:
    total = emitted.kmodel.main_memory_bytes
    if total <= MAIN_MEMORY_BYTES:
        return
    there = [program.buffers[name] for name in placement.lives if program.buffers[name].kind != "kpu"]
    largest = max(there, key=lambda buffer: buffer.bytes)
    step = next(s for s in program.steps if largest.name in s.writes())
    cure = next((text for kind, text in _CURES if isinstance(step, kind)), _CURES[0][1])
    if largest.name in program.outputs:
        cure = "Outputs are floats of 4 bytes: use fewer, or end the model before what spreads them out."
    yield (
        f"Main memory of {total:,} bytes is needed while it runs; the largest part are {largest.bytes:,} bytes, "
        f"{_what(largest)} of {step.node}. {cure}"
    )


def _what(buffer: Buffer) -> str:
    size = "x".join(map(str, buffer.shape))
    return f"{'floats' if buffer.kind == 'floats' else 'bytes'} ({size})"


def _of_size(emitted: Emitted) -> Iterator[str]:
    """MaixPy's kpu.load takes 6 MiB at most; kpu.load_flash reads layer by layer, from a chip of 16 MiB."""
    size, count = emitted.kmodel.file_bytes, len(emitted.kmodel.layers)
    table = 28 + 8 * len(emitted.kmodel.outputs) + 8 * count + LOAD_FLASH_FIRST_LAYER_BYTES
    most = count - -(-(table - LOAD_FLASH_HEADER_BYTES) // 8)
    if table > LOAD_FLASH_HEADER_BYTES:
        yield (
            f"The kmodel has {count:,} layers; kpu.load_flash reads a table of {most} at most, so kpu.load alone can "
            "run it. Kernels above 3x3 and products of maps are many layers each."
        )
    if size <= GENERAL_MEMORY_BYTES:
        return
    sizes: dict[str, int] = {}
    for step, body in zip(emitted.steps, emitted.kmodel.body_sizes, strict=True):
        sizes[str(step.node)] = sizes.get(str(step.node), 0) + body
    largest = max(sizes, key=lambda name: sizes[name])
    fits = "kpu.load_flash can run it from flash"
    if size > FLASH_BYTES:
        fits = f"and flash has {FLASH_BYTES:,}"
    elif table > LOAD_FLASH_HEADER_BYTES:
        fits = "and it has too many layers for kpu.load_flash"
    yield (
        f"The kmodel has {size:,} bytes; kpu.load takes {GENERAL_MEMORY_BYTES:,} at most, {fits}. Most of them, "
        f"{sizes[largest]:,}, are of {largest}. Use fewer channels there; a layer with groups is stored as a dense one."
    )


def _of_stack(emitted: Emitted) -> Iterator[str]:
    """MaixPy calls each layer of the CPU from the one before: 2,040 bytes of stack, 896 more for each, of 32 KiB."""
    longest = run = 0
    last = emitted.steps[0] if emitted.steps else None
    for layer, step in zip(emitted.kmodel.layers, emitted.steps, strict=True):
        run = 0 if isinstance(layer, layers.Conv) else run + 1
        if run > longest:
            longest, last = run, step
    if longest > _MOST_IN_A_ROW and last is not None:
        yield (
            f"{longest} layers of the CPU follow each other, up to {last.node}; MaixPy's stack ends at "
            f"{_MOST_IN_A_ROW}, and the board hangs or restarts. Use fewer outputs, and no reshaping before them."
        )


def _of_small_maps(program: Program) -> Iterator[str]:
    for step in program.convs():
        shape = program.buffers[step.inputs[0]].shape
        if shape[1:] != (1, 1) and min(shape[1:]) < SMALLEST_SIDE:
            yield (
                f"{step.node} runs on a map of {shape[2]}x{shape[1]} pixels; nncase gives the KPU none below 4x4, so "
                "that is not proven on a board. Use a larger input, or one stride less."
            )
            return
