"""From the lowered graph to steps: which values live in KPU memory, which in main memory as bytes or floats.

A convolution's result is in KPU memory. What the CPU shall do with it between two KPU layers it does on bytes: the KPU
sends a copy to main memory, and the result is uploaded. What leads only to outputs is done on floats.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler import ops
from k210kit.compiler.graph import Graph, Node, Shape, elements
from k210kit.compiler.passes.fuse_layers import copy_layer
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
    Slice,
    Step,
    SumStep,
    UploadStep,
    VectorKind,
    VectorStep,
)
from k210kit.compiler.stages import KpuConv
from k210kit.errors import KitError, UnsupportedError
from k210kit.hardware import WEIGHT_BYTES_PER_LOAD
from k210kit.kmodel import memory

__all__ = ["lower"]

_BYTE_OPS = (ops.Gather, ops.Resize, ops.MaxPool, ops.GlobalMaxPool, ops.Pad, ops.Concat)
_MOST_LOADS = 64
_MOST_PIECES = 8192  # of one concatenation: 64 KiB of the kmodel


def lower(graph: Graph) -> Program:
    """The steps of a graph that all passes have been over."""
    return _Lowering(graph).program()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Runs:
    """Positions in sources of which some are flattened height-width-channel first."""

    positions: NDArray[np.int64]
    turned: tuple[bool, ...]


class _Lowering:
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

    def program(self) -> Program:
        graph = self.graph
        if len(graph.input_shape) == 3:
            self._buffer(graph.input, "kpu", graph.input_shape)
            self.parts[graph.input] = (graph.input,)
        else:
            self._buffer(graph.input, "floats", graph.input_shape)
            self.floats[graph.input] = graph.input
        for node in graph.nodes:
            self.node = node
            self._lower(node)
        outputs = []
        for output in graph.outputs:
            self.node = graph.makers.get(output.value, self.node)
            outputs.append(self.need_floats(output.value))
        return Program(
            name=graph.name,
            input=graph.input,
            steps=tuple(self.steps),
            buffers=self.buffers,
            runs=tuple(tuple(run) for run in self.runs),
            outputs=tuple(outputs),
        )

    # buffers -------------------------------------------------------------------------------------------------------

    def _buffer(self, name: str, kind: str, shape: Shape, *, padded: bool = False) -> str:
        unique, count = name, 1
        while unique in self.buffers:
            count += 1
            unique = f"{name}~{count}"
        self.buffers[unique] = Buffer(name=unique, kind=kind, shape=shape, padded=padded)  # type: ignore[arg-type]
        return unique

    def _whole(self, buffer: str) -> Slice:
        return Slice(buffer=buffer, size=elements(self.buffers[buffer].shape))

    def _add(self, step: Step) -> None:
        self.steps.append(step)

    # values in the form that a reader needs ------------------------------------------------------------------------

    def need_kpu(self, value: str) -> tuple[str, ...]:
        """The KPU buffers that make up a value, uploading it if it is elsewhere."""
        if value not in self.parts:
            source, shape = self.need_bytes(value), self.graph.shapes[value]
            if len(shape) != 3:
                raise KitError(f"{self.node} needs the flat value '{value}' in KPU memory.")
            target = self._buffer(f"{value}/kpu", "kpu", shape)
            kind = AddPaddingStep if shape[1:] == (1, 1) else UploadStep
            reason = "a value made by the CPU goes to KPU memory"
            self._add(kind(node=self.node, reason=reason, source=source, target=self._whole(target)))
            self.parts[value] = (target,)
        return self.parts[value]

    def need_bytes(self, value: str) -> str:
        """The buffer of bytes of a value, channel-height-width, in main memory."""
        if value not in self.bytes:
            if value in self.parts:
                self.bytes[value] = self._from_kpu(value)
            else:
                target = self._buffer(f"{value}/bytes", "bytes", self.graph.shapes[value])
                reason = "floats of the CPU become bytes for the KPU"
                self._add(
                    QuantizeStep(node=self.node, reason=reason, source=self.floats[value], target=self._whole(target))
                )
                self.bytes[value] = target
        return self.bytes[value]

    def _from_kpu(self, value: str) -> str:
        parts = [self._sent(part) for part in self.parts[value]]
        if len(parts) == 1:
            return parts[0]
        target = self._buffer(f"{value}/bytes", "bytes", self.graph.shapes[value])
        sizes = [elements(self.buffers[part].shape) for part in parts]
        pieces = np.array([[k, 0, size] for k, size in enumerate(sizes)])
        self._add(
            ConcatStep(
                node=self.node,
                reason="parts side by side",
                sources=tuple(parts),
                pieces=pieces,
                target=self._whole(target),
            )
        )
        return target

    def _sent(self, part: str) -> str:
        """The copy in main memory that the layer which makes a KPU buffer sends there."""
        place = next((k for k, step in enumerate(self.steps) if part in step.writes()), None)
        if place is None:  # the model's input
            return self._sent(self._copied(part))
        step = self.steps[place]
        if isinstance(step, UploadStep | AddPaddingStep):
            return step.source
        assert isinstance(step, ConvStep)
        shape = self.buffers[part].shape
        pixel = shape[1:] == (1, 1)
        main = step.main
        if main is None:
            main = self._buffer(f"{part}/main", "bytes", shape, padded=pixel)
            self.steps[place] = replace(step, main=main)
        if not pixel:
            return main
        for later in self.steps:
            if isinstance(later, RemovePaddingStep) and later.source == main:
                return later.target.buffer
        target = self._buffer(f"{part}/bytes", "bytes", shape)
        self._add(
            RemovePaddingStep(
                node=self.node, reason="one pixel of each 4x4 map", source=main, target=self._whole(target)
            )
        )
        return target

    def need_floats(self, value: str) -> str:
        """The buffer of floats of a value."""
        if value not in self.floats:
            target = self._buffer(f"{value}/floats", "floats", self.graph.shapes[value])
            sources = [self.bytes[value]] if value in self.bytes else [self._sent(p) for p in self.parts[value]]
            first = 0
            for source in sources:
                size = elements(self.buffers[source].shape)
                part = Slice(buffer=target, first=first, size=size)
                self._add(DequantizeStep(node=self.node, reason="results are floats", source=source, target=part))
                first += size
            self.floats[value] = target
        return self.floats[value]

    # nodes ---------------------------------------------------------------------------------------------------------

    def _lower(self, node: Node) -> None:
        if isinstance(node.op, KpuConv):
            return self._conv(node, node.op)
        if isinstance(node.op, ops.Concat):
            if all(name in self.parts or name in self.bytes for name in node.inputs):
                self.parts[node.output] = tuple(p for name in node.inputs for p in self.need_kpu(name))
                return None
            return self._float_gather(
                node,
                ops.Gather(
                    index=np.arange(elements(self.graph.shapes[node.output])), shape=self.graph.shapes[node.output]
                ),
            )
        if isinstance(node.op, _BYTE_OPS) and (node.output in self.between or self._must_be_bytes(node)):
            return self._on_bytes(node)
        function = _FLOAT_STEPS.get(type(node.op))
        if function is None:
            raise UnsupportedError(f"{node} cannot run on floats in main memory ({type(node.op).__name__}).")
        return function(self, node)

    def _must_be_bytes(self, node: Node) -> bool:
        return isinstance(node.op, ops.MaxPool | ops.GlobalMaxPool | ops.Pad)

    def _conv(self, node: Node, op: KpuConv) -> None:
        inputs = [part for name in node.inputs for part in self.need_kpu(name)]
        if len(inputs) > 1:
            op, inputs = self._side_by_side(op, inputs)
        shape, first, made = self.graph.shapes[node.output], 0, []
        layers = _loadable(op)
        for layer in layers:
            output = self._buffer(node.output, "kpu", (layer.out_channels, *shape[1:]))
            self._add(ConvStep(node=node, op=layer, inputs=tuple(inputs), output=output, first=first))
            first += layer.out_channels
            made.append(output)
        self.parts[node.output] = tuple(made)

    def _side_by_side(self, op: KpuConv, inputs: list[str]) -> tuple[KpuConv, list[str]]:
        """Join the run of KPU buffers that holds them in this order, or begin one, or copy what is in the way."""
        group = memory.channels_per_line(self._kpu_width(inputs[0]))
        for k, name in enumerate(inputs[:-1]):  # a map that does not fill its last line has no neighbour there
            if self.buffers[name].shape[0] % group:
                inputs[k], op = self._filled_up(name, group, op, k, inputs)
        if len(set(inputs)) < len(inputs):
            inputs = [name if name not in inputs[:k] else self._copied(name) for k, name in enumerate(inputs)]
        for run in self.runs:
            joined = _joined(run, inputs)
            fits = joined is not None and all(self.buffers[name].shape[0] % group == 0 for name in joined[:-1])
            if (
                joined is not None
                and fits
                and not any(set(other) & set(inputs) for other in self.runs if other is not run)
            ):
                run[:] = joined
                return op, inputs
        taken = {name for run in self.runs for name in run}
        inputs = [self._copied(name) if name in taken else name for name in inputs]
        self.runs.append(list(inputs))
        return op, inputs

    def _kpu_width(self, name: str) -> int:
        shape = self.buffers[name].shape
        return 4 if shape[1:] == (1, 1) else shape[2]

    def _copied(self, name: str) -> str:
        shape = self.buffers[name].shape
        target = self._buffer(f"{name}/copy", "kpu", shape)
        self._add(ConvStep(node=self.node, op=copy_layer(shape[0]), inputs=(name,), output=target, extra=True))
        return target

    def _filled_up(self, name: str, group: int, op: KpuConv, place: int, inputs: list[str]) -> tuple[str, KpuConv]:
        """A copy with channels of zeros behind, so that the next map can begin on a new line; and weights to match."""
        shape = self.buffers[name].shape
        more = -shape[0] % group
        target = self._buffer(f"{name}/filled up", "kpu", (shape[0] + more, *shape[1:]))
        weights = np.eye(shape[0] + more, shape[0], dtype=np.float32)[:, :, None, None]
        layer = KpuConv(weights=np.ascontiguousarray(weights), bias=np.zeros(shape[0] + more, np.float32))
        self._add(ConvStep(node=self.node, op=layer, inputs=(name,), output=target, extra=True))
        before = sum(self.buffers[other].shape[0] for other in inputs[:place]) + shape[0]
        if op.depthwise:
            raise KitError(f"{self.node} is depthwise over maps that cannot lie side by side.")
        zeros = np.zeros((op.weights.shape[0], more, *op.weights.shape[2:]), np.float32)
        wider = np.concatenate([op.weights[:, :before], zeros, op.weights[:, before:]], 1)
        return target, replace(op, weights=wider)

    def _on_bytes(self, node: Node) -> None:
        op, shape = node.op, self.graph.shapes[node.output]
        if isinstance(op, ops.Gather | ops.Pad):
            return self._byte_gather(node, _as_gather(node, op, self.graph))
        source = self.need_bytes(node.inputs[0])
        target = self._whole(self._buffer(f"{node.output}/bytes", "bytes", shape))
        if isinstance(op, ops.Resize):
            step: Step = ResizeStep(
                node=node,
                reason="the KPU cannot enlarge",
                source=source,
                target=target,
                height=op.height,
                width=op.width,
            )
        else:
            inside = self.graph.shapes[node.inputs[0]]
            whole = isinstance(op, ops.GlobalMaxPool)
            pool = ops.MaxPool(kernel=inside[1:], stride=(1, 1)) if whole else op  # type: ignore[arg-type]
            assert isinstance(pool, ops.MaxPool)
            reason = "the KPU pools 2x2 with stride 2 only"
            before = (pool.padding.top, pool.padding.left)
            step = MaxPoolStep(
                node=node,
                reason=reason,
                source=source,
                target=target,
                kernel=pool.kernel,
                stride=pool.stride,
                before=before,
            )
        self._add(step)
        self.bytes[node.output] = target.buffer
        return None

    def _byte_gather(self, node: Node, op: ops.Gather) -> None:
        sources = [self.need_bytes(name) for name in node.inputs]
        if len(sources) == 1 and np.array_equal(op.index, np.arange(elements(self.graph.shapes[node.inputs[0]]))):
            alias = self._buffer(f"{node.output}/bytes", "bytes", op.shape)
            self._add(
                ConcatStep(
                    node=node,
                    reason="",
                    sources=(sources[0],),
                    pieces=np.zeros((0, 3), np.int64),
                    target=self._whole(alias),
                )
            )
            self.bytes[node.output] = alias
            return
        if (op.index < 0).any():
            zeros = self._buffer(f"{node.output}/zeros", "bytes", (_longest_run(op.index < 0),))
            self._add(
                RequantizeStep(node=node, reason="the border's zeros", source=sources[0], target=self._whole(zeros))
            )
            sources.append(zeros)
        pieces = self._pieces(node, op.index, [elements(self.graph.shapes[name]) for name in node.inputs])
        target = self._buffer(f"{node.output}/bytes", "bytes", op.shape)
        reason = "the KPU cannot move pixels so"
        self._add(
            ConcatStep(node=node, reason=reason, sources=tuple(sources), pieces=pieces, target=self._whole(target))
        )
        self.bytes[node.output] = target
        if self._goes_to_kpu(node.output):
            self.need_kpu(node.output)  # at once, so that main memory is free again

    def _goes_to_kpu(self, value: str) -> bool:
        """Whether a layer, or the parts of one's input, will read the value."""
        return len(self.graph.shapes[value]) == 3 and any(
            isinstance(reader.op, KpuConv)
            or (
                isinstance(reader.op, ops.Concat) and reader.output in self.between and self._goes_to_kpu(reader.output)
            )
            for reader in self.graph.readers.get(value, ())
        )

    def _pieces(self, node: Node, index: NDArray[np.int64], sizes: list[int]) -> NDArray[np.int64]:
        """Rows of (source, first, elements); what lies before 0 is the extra source of zeros."""
        starts = np.cumsum([0, *sizes])
        breaks = np.flatnonzero((np.diff(index) != 1) & ((index[1:] >= 0) | (index[:-1] >= 0)))
        source = np.where(index < 0, len(sizes), np.searchsorted(starts, index, side="right") - 1)
        changes = np.flatnonzero(np.diff(source))
        cuts = np.unique(np.concatenate([[-1], breaks, changes, [index.size - 1]])).astype(np.int64)
        first = cuts[:-1] + 1
        inside = np.where(index[first] < 0, 0, index[first] - np.append(starts, 0)[source[first]])
        pieces = np.stack([source[first], inside, np.diff(cuts)], 1)
        if len(pieces) > _MOST_PIECES:
            raise UnsupportedError(
                f"{node} moves {index.size:,} elements in {len(pieces):,} pieces; {_MOST_PIECES:,} are the most. "
                "Use a reshape or a transpose that keeps longer runs together, or do it on the board."
            )
        return pieces

    def _float_gather(self, node: Node, op: ops.Gather) -> None:
        sources = [self.need_floats(name) for name in node.inputs]
        shapes = [self.graph.shapes[name] for name in node.inputs]
        if len(sources) == 1 and np.array_equal(op.index, np.arange(elements(shapes[0]))):
            self.floats[node.output] = sources[0]
            return
        target = self._buffer(f"{node.output}/floats", "floats", op.shape)
        index, reason = self._fewest_runs(op.index, shapes), "the results' order"
        starts = np.cumsum([0, *map(elements, shapes)])
        owner = np.searchsorted(starts, op.index, side="right") - 1
        cuts = [0, *(np.flatnonzero(np.diff(owner)) + 1).tolist(), op.index.size]
        turned: dict[int, str] = {}
        rest: list[tuple[int, int]] = []
        for a, b in itertools.pairwise(cuts):
            k = int(owner[a])
            whole = Slice(buffer=target, first=a, size=b - a)
            if index.turned[k] and np.array_equal(index.positions[a:b], np.arange(starts[k], starts[k + 1])):
                self._add(FlattenStep(node=node, reason=reason, source=sources[k], target=whole))
                continue
            if index.turned[k] and k not in turned:
                turned[k] = self._buffer(f"{sources[k]}/turned", "floats", shapes[k])
                self._add(FlattenStep(node=node, reason=reason, source=sources[k], target=self._whole(turned[k])))
            if rest and rest[-1][1] == a:
                rest[-1] = (rest[-1][0], b)
            else:
                rest.append((a, b))
        names = tuple(turned.get(k, name) for k, name in enumerate(sources))
        for a, b in rest:
            pieces = self._pieces(node, index.positions[a:b], [elements(s) for s in shapes])
            part = Slice(buffer=target, first=a, size=b - a)
            used = sorted(set(pieces[:, 0].tolist()))
            pieces[:, 0] = np.searchsorted(used, pieces[:, 0])
            kept = tuple(names[k] for k in used)
            self._add(ConcatStep(node=node, reason=reason, sources=kept, pieces=pieces, target=part))
        self.floats[node.output] = target

    @staticmethod
    def _fewest_runs(index: NDArray[np.int64], shapes: list[Shape]) -> _Runs:
        """Each source as it is, or flattened height-width-channel first, whichever leaves fewer runs to copy."""
        positions, turned, start = index.copy(), [], 0
        for shape in shapes:
            size = elements(shape)
            inside = (index >= start) & (index < start + size)
            flat = index[inside] - start
            better = False
            if len(shape) == 3 and shape[0] > 1 and shape[1:] != (1, 1):
                place = np.empty(size, np.int64)
                place[np.arange(size).reshape(shape).transpose(1, 2, 0).reshape(-1)] = np.arange(size)
                better = int((np.diff(place[flat]) != 1).sum()) < int((np.diff(flat) != 1).sum())
                if better:
                    positions[inside] = start + place[flat]
            turned.append(better)
            start += size
        return _Runs(positions=positions, turned=tuple(turned))

    def _float_pool(self, node: Node) -> None:
        """A mean. Floats that become bytes again are written in the bytes' own steps, so an output has floats apart."""
        value = node.inputs[0]
        apart = {value, node.output} & self.graph.output_values and (value in self.parts or value in self.bytes)
        if apart and node.output in self.between:
            kept = self.floats.pop(value, None)
            pooled = self._pooled(node, self.need_floats(value))
            del self.floats[value]
            if kept is not None:
                self.floats[value] = kept
            target = self._buffer(f"{node.output}/bytes", "bytes", self.graph.shapes[node.output])
            reason = "floats of the CPU become bytes for the KPU"
            self._add(QuantizeStep(node=node, reason=reason, source=pooled, target=self._whole(target)))
            self.bytes[node.output] = target
            if node.output not in self.graph.output_values:
                return
        self.floats[node.output] = self._pooled(node, self.need_floats(value))

    def _pooled(self, node: Node, source: str) -> str:
        op = node.op
        target = self._whole(self._buffer(f"{node.output}/floats", "floats", self.graph.shapes[node.output]))
        kernel, stride, before = None, (1, 1), (0, 0)
        if isinstance(op, ops.AveragePool) and op.kernel != self.graph.shapes[node.inputs[0]][1:]:
            kernel, stride, before = op.kernel, op.stride, (op.padding.top, op.padding.left)
        reason = "the KPU's mean covers 2x2 or 4x4 and drops fractions"
        self._add(
            AveragePoolStep(
                node=node, reason=reason, source=source, target=target, kernel=kernel, stride=stride, before=before
            )
        )
        return target.buffer

    def _float_vector(self, node: Node) -> None:
        op, size = node.op, elements(self.graph.shapes[node.output])
        source = self.need_floats(node.inputs[0])
        target = self._buffer(f"{node.output}/floats", "floats", self.graph.shapes[node.output])
        length = op.length if isinstance(op, ops.Softmax) else size
        names: dict[type[ops.Op], VectorKind] = {
            ops.Softmax: "softmax",
            ops.L2Normalize: "l2",
            ops.Curve: "logistic",
        }
        what = names[type(op)]
        if isinstance(op, ops.Curve) and op.kind != "sigmoid":
            return self._float_curve(node, op, source, target)
        for first in range(0, size, length):
            part = Slice(buffer=target, first=first, size=length)
            self._add(
                VectorStep(
                    node=node,
                    reason="a function of a whole vector",
                    source=source,
                    target=part,
                    what=what,
                    first=first,
                    size=length,
                )
            )
        self.floats[node.output] = target
        return None

    def _float_curve(self, node: Node, op: ops.Curve, source: str, target: str) -> None:
        """ReLU on floats, to 15 bits: quantise (which drops what is negative), then quantise what that left over.

        q1 = quantise(x); r = x - dequantise(q1); q2 = quantise(r, finer); result = dequantise(q1) + dequantise(q2).
        MaixPy ignores the activation of a fully connected layer, and has no other float ReLU.
        """
        if op.kind == "linear":
            self.floats[node.output] = source
            return
        if not (op.kind == "clip" and op.alpha == 0.0 and op.beta == np.inf):
            raise UnsupportedError(
                f"{node} is no ReLU; between fully connected layers of a flat model only ReLU can run."
            )
        shape = self.graph.shapes[node.output]
        coarse = self._buffer(f"{node.output}/coarse", "bytes", shape)
        less = self._buffer(f"{node.output}/less", "floats", shape)
        rest = self._buffer(f"{node.output}/rest", "floats", shape)
        fine = self._buffer(f"{node.output}/fine", "bytes", shape)
        both = [self._buffer(f"{node.output}/{name}", "floats", shape) for name in ("high", "low")]
        reason = "no layer of the format is a float ReLU; this is one, to 15 bits"
        common = {"node": node, "reason": reason}
        self._add(QuantizeStep(source=source, target=self._whole(coarse), **common))  # type: ignore[arg-type]
        self._add(DequantizeStep(source=coarse, target=self._whole(less), **common))  # type: ignore[arg-type]
        self._add(SumStep(sources=(source, less), target=self._whole(rest), **common))  # type: ignore[arg-type]
        self._add(QuantizeStep(source=rest, target=self._whole(fine), **common))  # type: ignore[arg-type]
        self._add(DequantizeStep(source=coarse, target=self._whole(both[0]), **common))  # type: ignore[arg-type]
        self._add(DequantizeStep(source=fine, target=self._whole(both[1]), **common))  # type: ignore[arg-type]
        self._add(SumStep(sources=(both[0], both[1]), target=self._whole(target), **common))  # type: ignore[arg-type]
        self.floats[node.output] = target

    def _float_dense(self, node: Node) -> None:
        assert isinstance(node.op, ops.Dense)
        source = self.need_floats(node.inputs[0])
        target = self._buffer(f"{node.output}/floats", "floats", self.graph.shapes[node.output])
        self._add(
            DenseStep(
                node=node, reason="a flat model runs as floats", source=source, target=self._whole(target), op=node.op
            )
        )
        self.floats[node.output] = target

    def _float_resize(self, node: Node) -> None:
        self._on_bytes(node)

    def _float_sum(self, node: Node) -> None:
        sources = [self.need_floats(name) for name in node.inputs]
        target = self._buffer(f"{node.output}/floats", "floats", self.graph.shapes[node.output])
        self._add(
            SumStep(node=node, reason="a sum of floats", sources=(sources[0], sources[1]), target=self._whole(target))
        )
        self.floats[node.output] = target

    def _float_order(self, node: Node) -> None:
        assert isinstance(node.op, ops.Gather)
        self._float_gather(node, node.op)


_FLOAT_STEPS: dict[type[ops.Op], Callable[[_Lowering, Node], None]] = {
    ops.Gather: _Lowering._float_order,
    ops.GlobalAveragePool: _Lowering._float_pool,
    ops.AveragePool: _Lowering._float_pool,
    ops.Softmax: _Lowering._float_vector,
    ops.L2Normalize: _Lowering._float_vector,
    ops.Curve: _Lowering._float_vector,
    ops.Dense: _Lowering._float_dense,
    ops.Resize: _Lowering._float_resize,
    ops.Add: _Lowering._float_sum,
}


def _loadable(op: KpuConv) -> list[KpuConv]:
    """The layer in parts whose weights can be loaded: at most 64 loads of 30 KiB, a register of 6 bits."""
    one = op.weights[0].size
    per_load = max(1, WEIGHT_BYTES_PER_LOAD // one)
    most = _MOST_LOADS * per_load
    if op.depthwise or op.out_channels <= most:
        return [op]
    parts = -(-op.out_channels // most)
    size = -(-op.out_channels // (4 * parts)) * 4  # parts begin on a line of KPU memory
    made = []
    for first in range(0, op.out_channels, size):
        part = slice(first, first + size)
        slopes = None if op.slopes is None else op.slopes[part]
        made.append(replace(op, weights=op.weights[part], bias=op.bias[part], slopes=slopes))
    return made


def _between_layers(graph: Graph) -> frozenset[str]:
    """Values that some KPU layer reads, through byte operations alone."""
    wanted: set[str] = set()
    for node in reversed(graph.nodes):
        if isinstance(node.op, KpuConv) or (node.output in wanted and isinstance(node.op, _BYTE_OPS)):
            wanted.update(node.inputs)
    return frozenset(wanted)


def _joined(run: list[str], wanted: list[str]) -> list[str] | None:
    """The run with `wanted` as consecutive members, appended at either end if need be; None if it cannot be."""
    width = len(wanted)
    if any(run[k : k + width] == wanted for k in range(len(run) - width + 1)):
        return list(run)
    for common in range(min(width, len(run)), 0, -1):
        if run[-common:] == wanted[:common] and not set(wanted[common:]) & set(run):
            return [*run, *wanted[common:]]
        if run[:common] == wanted[-common:] and not set(wanted[:-common]) & set(run):
            return [*wanted[:-common], *run]
    return None


def _as_gather(node: Node, op: ops.Gather | ops.Pad, graph: Graph) -> ops.Gather:
    if isinstance(op, ops.Gather):
        return op
    shape = graph.shapes[node.inputs[0]]
    inside = np.arange(elements(shape), dtype=np.int64).reshape(shape)
    pad = op.padding
    around = ((0, op.channels_after), (pad.top, pad.bottom), (pad.left, pad.right))
    return ops.Gather(index=np.pad(inside, around, constant_values=-1).reshape(-1), shape=graph.shapes[node.output])


def _longest_run(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max())


def _nothing(graph: Graph) -> Node:
    return Node(
        op=ops.Gather(index=np.zeros(1, np.int64), shape=(1,)), inputs=(), output="", origin=graph.name, kind=""
    )
