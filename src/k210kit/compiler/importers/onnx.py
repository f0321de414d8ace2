"""ONNX files, as torch.onnx and tf2onnx export them: the graph is walked once, what is constant is folded on the way.

Tensors of rank 4 are NCHW. A dynamic batch becomes 1. Operators are read by the table in `onnx_operators.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from k210kit.compiler.graph import Graph, Node, elements, shape_of
from k210kit.compiler.importers.layout import Builder, found_outputs
from k210kit.compiler.ops import Foreign, Op
from k210kit.compiler.refusals import Inexpressible
from k210kit.errors import FormatError, InputError, MissingExtraError

__all__ = ["Call", "read_onnx"]

Array = NDArray[Any]  # of any number type that ONNX knows
_DAMAGE = (
    AttributeError, AssertionError, IndexError, KeyError, MemoryError, OverflowError, RuntimeError, TypeError,
    ValueError, ZeroDivisionError,
)  # fmt: skip


def read_onnx(
    data: bytes, name: str, folder: Path | None = None, outputs: Sequence[str] = (), size: tuple[int, int] | None = None
) -> Graph:
    """The graph of an .onnx file; `folder` is where its external weights lie, if it has any.

    A `FormatError` says what is damaged.
    """
    try:
        return _Reader(_parse(data, name, folder), name, size).graph(outputs)
    except InputError:
        raise
    except _DAMAGE as error:
        raise FormatError(f"the ONNX file is damaged ({type(error).__name__}: {error})", field=name) from error


def _parse(data: bytes, name: str, folder: Path | None) -> Any:  # Any: onnx.ModelProto
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ModuleNotFoundError:
        raise MissingExtraError("onnx", extra="onnx", purpose="reading an ONNX file") from None
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise FormatError(f"not an ONNX file ({error})", field=name) from None
    if not model.graph.node:
        raise FormatError("the graph has no operators", field=name, found="0", expected="at least 1")
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
        from onnx.checker import ValidationError
        from onnx.external_data_helper import load_external_data_for_model

        try:
            load_external_data_for_model(model, str(folder or Path()))
        except (OSError, ValidationError) as error:
            raise FormatError(
                f"its weights are in another file that cannot be read ({error})", field=name,
                expected="the .data file beside the model, under its first name",
            ) from None  # fmt: skip
    if model.functions:
        from onnx.inliner import inline_local_functions

        model = inline_local_functions(model)
    return model


class Call:
    """One operator of the file, with its inputs and attributes."""

    def __init__(self, reader: _Reader, node: Any) -> None:  # Any: onnx.NodeProto
        import onnx

        self.reader, self.node, self.kind = reader, node, node.op_type
        self.build, self.opset = reader.build, reader.opset
        self.ins: list[str] = list(node.input)
        while self.ins and not self.ins[-1]:
            self.ins.pop()
        self.outs: list[str] = list(node.output)
        self.origin: str = node.name or next((out for out in self.outs if out), node.op_type)
        self.attributes: dict[str, Any] = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}

    def integers(self, name: str, default: list[int]) -> list[int]:
        """An attribute that is a list of integers."""
        return [int(v) for v in self.attributes.get(name, default)]

    def text(self, name: str, default: str) -> str:
        """An attribute that is a text."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def has(self, k: int) -> bool:
        """Whether input `k` is given."""
        return k < len(self.ins) and bool(self.ins[k])

    def is_constant(self, k: int) -> bool:
        return self.has(k) and self.ins[k] in self.reader.constants

    def constant(self, k: int) -> Array:
        """Input `k`, which must be constant."""
        if not self.is_constant(k):
            raise Inexpressible("computed setting", f"its input {k} is computed")
        return self.reader.constants[self.ins[k]]

    def floats(self, k: int) -> NDArray[np.float32]:
        return self.constant(k).astype(np.float32)

    def value(self, k: int) -> str:
        """The name of computed input `k`."""
        if self.is_constant(k):
            raise Inexpressible("constant operand", f"its input {k} is a constant")
        return self.reader.values[self.ins[k]]

    def shape(self, k: int = 0) -> tuple[int, ...]:
        """The source shape of input `k`."""
        if self.is_constant(k):
            return self.constant(k).shape
        return self.build.source_shapes[self.value(k)]

    def emit(self, op: Op, *inputs: str, shape: tuple[int, ...] | None = None, out: int = 0) -> str:
        """Add a node. `shape` is the source shape of its result; without it the result must be a picture."""
        name = self.build.fresh(self.outs[out])
        node = Node(op=op, inputs=inputs, output=name, origin=self.origin, kind=self.kind)
        made = shape_of(node, [self.build.shape(self.build.source_shapes[value]) for value in inputs])
        if shape is None:
            shape = (1, *made) if len(made) == 3 else made
        if self.build.shape(shape) != made:
            raise FormatError(f"{node} makes {list(made)}", field=self.reader.name, expected=str(list(shape)))
        self.build.nodes.append(node)
        self.build.source_shapes[name] = tuple(shape)
        self.reader.values[self.outs[out]] = name
        return name

    def emit_gather(self, index: NDArray[np.int64], *inputs: str, out: int = 0) -> str:
        """Add a rearrangement given as an array of the result's source shape."""
        name = self.build.gather(index, inputs, self.build.fresh(self.outs[out]), origin=self.origin, kind=self.kind)
        self.build.source_shapes[name] = index.shape
        self.reader.values[self.outs[out]] = name
        return name

    def inner(self, op: Op, value: str, shape: tuple[int, ...], suffix: str, *more: str) -> str:
        """Add a node whose result is read by this operator's next node only."""
        name = self.build.add(
            op, (value, *more), self.build.fresh(f"{self.outs[0]}/{suffix}"), origin=self.origin, kind=self.kind
        )
        self.build.source_shapes[name] = shape
        return name

    def flattened(self, value: str, shape: tuple[int, ...]) -> str:
        """The value as a flat one, in the order of the source model."""
        if len(shape) != 4:
            return value
        name = self.build.fresh(f"{self.outs[0]}/flat")
        index = self.build.natural(shape).reshape(-1)
        self.build.gather(index, (value,), name, origin=self.origin, kind=self.kind)
        self.build.source_shapes[name] = index.shape
        return name

    def fold(self, array: Array, out: int = 0) -> None:
        """The result is a constant."""
        self.reader.constants[self.outs[out]] = np.asarray(array)

    def same(self, k: int = 0, out: int = 0) -> None:
        """The result is input `k` itself."""
        if self.is_constant(k):
            self.fold(self.constant(k), out)
        else:
            self.reader.values[self.outs[out]] = self.value(k)
            if self.ins[k] in self.reader.lengths:
                self.reader.lengths[self.outs[out]] = self.reader.lengths[self.ins[k]]


class _Reader:
    def __init__(self, model: Any, name: str, size: tuple[int, int] | None) -> None:  # Any: onnx.ModelProto
        from onnx import numpy_helper

        self.model, self.name, self.size = model, name, size
        self.opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
        self.build = Builder("NCHW")
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.values: dict[str, str] = {}
        self.lengths: dict[str, str] = {}  # lengths of whole vectors, by name -> the value that has it

    def graph(self, wanted: Sequence[str]) -> Graph:
        from k210kit.compiler.importers.onnx_operators import OPERATORS

        source = self._input()
        made = {node.name: node.output[0] for node in self.model.graph.node if node.name and node.output}
        names = [made.get(name, name) for name in wanted] or [out.name for out in self.model.graph.output]
        for node in self._needed(names):
            self._read(Call(self, node), OPERATORS)
        for name in () if wanted else names:
            if name not in self.values:
                told = "is a constant" if name in self.constants else "is not computed by the graph"
                raise FormatError(f"output '{name}' {told}", field=self.name)
        inner = {node.output: node.output for node in self.build.nodes}
        known = inner | self.values | {node: self.values[out] for node, out in made.items() if out in self.values}
        outputs = found_outputs(wanted, known) if wanted else found_outputs(names, self.values)
        graph = Graph(
            name=self.name,
            input=source,
            input_shape=self.build.shape(self.build.source_shapes[source]),
            nodes=(),
            outputs=outputs,
        )
        return graph.with_nodes(self.build.nodes)

    def _needed(self, names: Sequence[str]) -> list[Any]:
        """The nodes that these values need; all, if one of them is not known."""
        nodes = list(self.model.graph.node)
        wanted, kept = set(names), []
        if not wanted <= {out for node in nodes for out in node.output} | set(self.constants):
            return nodes
        for node in reversed(nodes):
            if any(out in wanted for out in node.output):
                kept.append(node)
                wanted.update(node.input)
        return kept[::-1]

    def _input(self) -> str:
        inputs = [v for v in self.model.graph.input if v.name not in self.constants]
        if len(inputs) != 1:
            raise FormatError(
                f"the model has {len(inputs)} inputs", field=self.name, expected="1, a picture or a flat vector"
            )
        dims = inputs[0].type.tensor_type.shape.dim
        shape = tuple(int(d.dim_value) if d.HasField("dim_value") and d.dim_value > 0 else -1 for d in dims)
        if len(shape) == 4 and self.size is not None:
            sizes = (self.size[1], self.size[0])
            fixed = tuple(want if have < 0 else have for want, have in zip(sizes, shape[2:], strict=True))
            shape = (shape[0], shape[1] if shape[1] > 0 else 3, *fixed)
        if not shape or any(size < 0 for size in shape[1:]):
            said = [d.dim_param or d.dim_value or "?" for d in dims]
            raise FormatError(
                f"input '{inputs[0].name}' has no fixed size", field=self.name, found=str(said),
                expected="numbers for all but the batch; give --input WxH, or export the model with a fixed input",
            )  # fmt: skip
        if shape[0] > 1:
            raise FormatError(
                f"the model's batch is {shape[0]}", field=self.name, expected="1, or dynamic; export it so"
            )
        if elements((1, *shape[1:])) > 1 << 28:
            raise FormatError("the input is too large", field=self.name, found=str(list(shape)))
        name = self.build.fresh(inputs[0].name)
        self.build.source_shapes[name] = (1, *shape[1:])
        self.values[inputs[0].name] = name
        return name

    def _read(self, call: Call, operators: Mapping[str, Any]) -> None:
        missing = [n for n in call.ins if n and n not in self.values and n not in self.constants]
        if missing:
            raise FormatError(f"{call.kind} '{call.origin}' reads '{missing[0]}', which nothing makes", field=self.name)
        if call.kind != "Shape" and all(call.is_constant(k) for k in range(len(call.ins)) if call.has(k)):
            self._fold(call)
            return
        try:
            if call.kind not in operators or call.node.domain not in ("", "ai.onnx"):
                raise Inexpressible("operator", f"{call.kind} is not read")
            operators[call.kind](call)
        except Inexpressible as error:
            self._foreign(call, error)
        except (FormatError, ValueError):
            if not any(isinstance(node.op, Foreign) for node in self.build.nodes):
                raise
            self._foreign(call, Inexpressible("behind", "what it gets from there has no known shape"))

    def _foreign(self, call: Call, error: Inexpressible) -> None:
        inputs = tuple(self.values[n] for n in call.ins if n in self.values)
        for out in filter(None, call.outs):
            name = self.build.fresh(out)
            shape = self._inferred.get(out) or (self.build.source_shapes[inputs[0]] if inputs else (1,))
            op = Foreign(shape=self.build.shape(shape), why=error.why, instead=error.instead)
            self.build.add(op, inputs, name, origin=call.origin, kind=call.kind)
            self.build.source_shapes[name] = shape
            self.values[out] = name

    @cached_property
    def _inferred(self) -> dict[str, tuple[int, ...]]:
        """The shapes that ONNX's own inference finds: needed only behind an operator that we cannot read."""
        import onnx

        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for value in model.graph.input:
            known = self.build.source_shapes.get(self.values.get(value.name, ""), ())
            for dim, size in zip(value.type.tensor_type.shape.dim, known, strict=False):
                dim.dim_value = size
        try:
            found = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
        except onnx.shape_inference.InferenceError:
            return {}
        shapes = {}
        for value in (*found.value_info, *found.output):
            sizes = [d.dim_value for d in value.type.tensor_type.shape.dim]
            if sizes and all(size > 0 for size in sizes[1:]):
                shapes[value.name] = (sizes[0] or 1, *sizes[1:])
        return shapes

    def _fold(self, call: Call) -> None:
        """Compute a node of constants with ONNX's own reference implementation."""
        from k210kit.compiler.importers.onnx_constants import folded

        inputs = {name: self.constants[name] for name in call.ins if name}
        results = folded(call.node, inputs, self.model.opset_import)
        if results is None:
            self._foreign(call, Inexpressible("constant operand", f"{call.kind} of constants is not folded here"))
            return
        self.constants.update(results)
