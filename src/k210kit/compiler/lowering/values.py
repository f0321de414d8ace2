"""Values while they are lowered: where each lives, and the steps that bring it where a reader needs it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from k210kit.compiler import ops
from k210kit.compiler.graph import Graph, Node, Shape, elements
from k210kit.compiler.passes.fuse_layers import copy_layer
from k210kit.compiler.passes.pick_by_shift import moved_copy
from k210kit.compiler.program import (
    AddPaddingStep,
    Buffer,
    ConcatStep,
    ConvStep,
    DequantizeStep,
    JoinStep,
    LastByteStep,
    QuantizeStep,
    RemovePaddingStep,
    Slice,
    Step,
    UploadStep,
    ViewStep,
)
from k210kit.compiler.stages import PICK_LEFT_TOP, KpuConv
from k210kit.errors import KitError

__all__ = ["BYTE_OPS", "LAST_ROWS", "Values"]

BYTE_OPS = (ops.Gather, ops.Resize, ops.MaxPool, ops.GlobalMaxPool, ops.Pad, ops.Concat)
"""What the CPU can do on bytes between two layers of the KPU."""


_LOSING_WIDTH = 64
LAST_ROWS = "/last rows"
"""How names of the rows end of which the last pixel is sent once more."""


class Values:
    """The steps so far and, for each value, the buffers that hold it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.steps: list[Step] = []
        self.buffers: dict[str, Buffer] = {}
        self.parts: dict[str, tuple[str, ...]] = {}  # value -> KPU buffers that make it up
        self.bytes: dict[str, str] = {}
        self.floats: dict[str, str] = {}
        self.runs: list[list[str]] = []
        self.between = _between_layers(graph)
        self.node = graph.nodes[0] if graph.nodes else _nothing(graph)

    def buffer(self, name: str, kind: str, shape: Shape, *, padded: bool = False) -> str:
        """A new buffer, named `name` or, if that is taken, with a number behind."""
        unique, count = name, 1
        while unique in self.buffers:
            count += 1
            unique = f"{name}~{count}"
        self.buffers[unique] = Buffer(name=unique, kind=kind, shape=shape, padded=padded)  # type: ignore[arg-type]
        return unique

    def whole(self, buffer: str) -> Slice:
        """All of a buffer."""
        return Slice(buffer=buffer, size=elements(self.buffers[buffer].shape))

    def add(self, step: Step) -> None:
        """One more step."""
        self.steps.append(step)

    def need_kpu(self, value: str) -> tuple[str, ...]:
        """The KPU buffers that make up a value, uploading it if it is elsewhere."""
        if value not in self.parts:
            source, shape = self.need_bytes(value), self.graph.shapes[value]
            if len(shape) != 3:
                raise KitError(f"{self.node} needs the flat value '{value}' in KPU memory.")
            target = self.buffer(f"{value}/kpu", "kpu", shape)
            kind = AddPaddingStep if shape[1:] == (1, 1) else UploadStep
            reason = "a value made by the CPU goes to KPU memory"
            self.add(kind(node=self.node, reason=reason, source=source, target=self.whole(target)))
            self.parts[value] = (target,)
        return self.parts[value]

    def parts_to_cut(self, value: str) -> tuple[str, ...]:
        """The KPU buffers of a value of which parts shall be read.

        The runtime takes the first layer's input for the size of the picture, so that layer must read all of it.
        """
        if value == self.graph.input and not any(isinstance(step, ConvStep) for step in self.steps):
            self.parts[value] = (self.copied(value),)
        return self.need_kpu(value)

    def need_bytes(self, value: str) -> str:
        """The buffer of bytes of a value, channel-height-width, in main memory."""
        if value not in self.bytes:
            if value in self.parts:
                self.bytes[value] = self._from_kpu(value)
            else:
                target = self.buffer(f"{value}/bytes", "bytes", self.graph.shapes[value])
                reason = "floats of the CPU become bytes for the KPU"
                self.add(
                    QuantizeStep(node=self.node, reason=reason, source=self.floats[value], target=self.whole(target))
                )
                self.bytes[value] = target
        return self.bytes[value]

    def _from_kpu(self, value: str) -> str:
        parts = [self.sent(part) for part in self.parts[value]]
        if len(parts) == 1:
            return parts[0]
        target = self.buffer(f"{value}/bytes", "bytes", self.graph.shapes[value])
        sizes = [elements(self.buffers[part].shape) for part in parts]
        pieces = np.array([[k, 0, size] for k, size in enumerate(sizes)])
        self.add(
            ConcatStep(
                node=self.node,
                reason="parts side by side",
                sources=tuple(parts),
                pieces=pieces,
                target=self.whole(target),
            )
        )
        return target

    def sent(self, part: str) -> str:
        """The copy in main memory that the layer which makes a KPU buffer sends there."""
        place = next((k for k, step in enumerate(self.steps) if part in step.writes()), None)
        if place is None or isinstance(self.steps[place], JoinStep | ViewStep):  # no layer made it that could send it
            return self.sent(self.copied(part))
        step = self.steps[place]
        if isinstance(step, UploadStep | AddPaddingStep):
            return step.source
        assert isinstance(step, ConvStep)
        shape = self.buffers[part].shape
        pixel = shape[1:] == (1, 1)
        main = step.main
        if main is None:
            main = self.buffer(f"{part}/main", "bytes", shape, padded=pixel)
            self.steps[place] = replace(step, main=main)
            if not pixel:
                self._send_last_byte(part, main)
        if not pixel:
            return main
        for later in self.steps:
            if isinstance(later, RemovePaddingStep) and later.source == main:
                return later.target.buffer
        target = self.buffer(f"{part}/bytes", "bytes", shape)
        self.add(
            RemovePaddingStep(
                node=self.node, reason="one pixel of each 4x4 map", source=main, target=self.whole(target)
            )
        )
        return target

    def _send_last_byte(self, part: str, main: str) -> None:
        """Send the last pixel of a map 64, 128, ... wide once more, in a map that is narrower.

        MaixPy's default copy leaves that byte as it was (facts of its library, executed). The lower right pixel of
        each 2x2 square is kept until the width is no multiple of 64 any more: of the last rows of the last channel.
        """
        channels, height, width = self.buffers[part].shape
        halvings = 0
        while width % _LOSING_WIDTH == 0:
            width, halvings = width // 2, halvings + 1
        if not halvings or 2**halvings > height:
            return
        shape = (1, 2**halvings, self.buffers[part].shape[2])
        source = self.buffer(part + LAST_ROWS, "kpu", shape)
        self.add(ViewStep(node=self.node, source=part, target=source, first=channels - 1, top=height - shape[1]))
        pick = moved_copy(1, (1, 1), pool_type=PICK_LEFT_TOP, border="unseen")
        for _ in range(halvings):
            shape = (1, shape[1] // 2, shape[2] // 2)
            target = self.buffer(f"{part}/last pixels", "kpu", shape)
            self.add(ConvStep(node=self.node, op=pick, inputs=(source,), output=target, extra=True))
            source = target
        sent = self.buffer(f"{source}/main", "bytes", shape)
        last = self.steps[-1]
        assert isinstance(last, ConvStep)
        self.steps[-1] = replace(last, main=sent)
        end = Slice(buffer=main, first=elements(self.buffers[main].shape) - 1, size=1)
        reason = "MaixPy copies all but the last byte of a map 64, 128, ... wide"
        self.add(LastByteStep(node=self.node, reason=reason, source=sent, target=end))

    def need_floats(self, value: str) -> str:
        """The buffer of floats of a value."""
        if value not in self.floats:
            target = self.buffer(f"{value}/floats", "floats", self.graph.shapes[value])
            sources = [self.bytes[value]] if value in self.bytes else [self.sent(p) for p in self.parts[value]]
            first = 0
            for source in sources:
                size = elements(self.buffers[source].shape)
                part = Slice(buffer=target, first=first, size=size)
                self.add(DequantizeStep(node=self.node, reason="results are floats", source=source, target=part))
                first += size
            self.floats[value] = target
        return self.floats[value]

    def is_view(self, name: str) -> bool:
        """Whether a KPU buffer is part of another."""
        return any(isinstance(step, ViewStep) and step.target == name for step in self.steps)

    def copied(self, name: str) -> str:
        """A copy of a KPU buffer in another place."""
        shape = self.buffers[name].shape
        target = self.buffer(f"{name}/copy", "kpu", shape)
        self.add(ConvStep(node=self.node, op=copy_layer(shape[0]), inputs=(name,), output=target, extra=True))
        return target


def _between_layers(graph: Graph) -> frozenset[str]:
    """Values that some KPU layer reads, through byte operations alone."""
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        if isinstance(node.op, KpuConv) or (node.output in wanted and isinstance(node.op, BYTE_OPS)):
            wanted.update(node.inputs)
    return frozenset(wanted)


def _nothing(graph: Graph) -> Node:
    return Node(
        op=ops.Gather(index=np.zeros(1, np.int64), shape=(1,)), inputs=(), output="", origin=graph.name, kind=""
    )
