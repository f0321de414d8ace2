"""Elementwise expressions of one value become one curve.

Before   x ─┬─ sigmoid ─ mul        x ─┬─ +3 ─ clip 0..6 ─ mul ─ /6
            └────────────┘             └─────────────────┘
After    x ─ silu                   x ─ formula
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from k210kit.compiler.graph import Graph, Node
from k210kit.compiler.ops import Add, Affine, Curve, Mul, Sub

__all__ = ["fuse_formulas"]

Formula = tuple[Any, ...]  # Any: nested, see ops.Curve
_X: Formula = ("x",)


def fuse_formulas(graph: Graph) -> Graph:
    """Fuse every sum, difference or product of two functions of one value, and chains of curves."""
    known: dict[str, tuple[str, Formula]] = {}  # value -> the value it is a function of, and how
    nodes: list[Node] = []
    for node in graph.nodes:
        found = _formula_of(node, known)
        if found is not None:
            source, formula = found
            known[node.output] = (source, formula)
            if isinstance(node.op, Add | Sub | Mul) or (isinstance(node.op, Curve) and source != node.inputs[0]):
                node = replace(node, op=_named(formula), inputs=(source,))
        nodes.append(node)
    return graph.with_nodes(_chains(graph.with_nodes(nodes)))


def _formula_of(node: Node, known: dict[str, tuple[str, Formula]]) -> tuple[str, Formula] | None:
    op = node.op
    if isinstance(op, Curve):
        source, inner = known.get(node.inputs[0], (node.inputs[0], _X))
        if isinstance(inner, tuple) and inner[0] == "affine" and inner[3] == _X:
            source, inner = node.inputs[0], _X  # scale and shift fold into the layer before
        return source, ("curve", op, inner)
    if isinstance(op, Affine) and np.ptp(op.scale) == 0 and np.ptp(op.shift) == 0:
        source, inner = known.get(node.inputs[0], (node.inputs[0], _X))
        return source, ("affine", float(op.scale[0]), float(op.shift[0]), inner)
    if isinstance(op, Add | Sub | Mul):
        sides = [_full(name, known) for name in node.inputs]
        common = [(a, b) for a in sides[0] for b in sides[1] if a[0] == b[0]]
        if common:
            left, right = common[-1]
            return left[0], (type(op).__name__.lower(), left[1], right[1])
    return None


def _full(name: str, known: dict[str, tuple[str, Formula]]) -> list[tuple[str, Formula]]:
    """A value as itself, and as a function of what it comes from."""
    views = [(name, _X)]
    if name in known:
        views.append(known[name])
    return views


def _named(formula: Formula) -> Curve:
    """A curve of the table where the formula is one."""
    if formula[0] == "mul":
        for left, right in (formula[1:], formula[:0:-1]):
            if left == _X and right[0] == "curve" and right[2] == _X:
                gate = right[1]
                if gate.kind == "sigmoid":
                    return Curve(kind="silu")
                if gate.kind == "hard_sigmoid" and abs(gate.alpha - 1 / 6) < 1e-6 and gate.beta == 0.5:
                    return Curve(kind="hard_swish")
    if formula[0] == "curve" and formula[2] == _X:
        found: Curve = formula[1]
        return found
    return Curve(kind="formula", formula=formula)


def _chains(graph: Graph) -> list[Node]:
    """A uniform scale and shift behind a formula that only it reads joins the formula."""
    nodes: list[Node] = []
    joined: dict[str, Node] = {}
    for node in graph.nodes:
        before = joined.get(node.inputs[0]) if len(node.inputs) == 1 else None
        uniform = isinstance(node.op, Affine) and np.ptp(node.op.scale) == 0 and np.ptp(node.op.shift) == 0
        alone = (
            before is not None and len(graph.readers[before.output]) == 1 and before.output not in graph.output_values
        )
        if before is not None and uniform and alone and isinstance(before.op, Curve) and isinstance(node.op, Affine):
            inner: Formula = before.op.formula if before.op.kind == "formula" else ("curve", before.op, _X)
            formula = ("affine", float(node.op.scale[0]), float(node.op.shift[0]), inner)
            node = replace(node, op=Curve(kind="formula", formula=formula), inputs=before.inputs)
        if isinstance(node.op, Curve):
            joined[node.output] = node
        nodes.append(node)
    return nodes
