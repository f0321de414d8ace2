"""What each ONNX operator becomes: a table of functions, one per operator or family of operators."""

from __future__ import annotations

from k210kit.compiler.importers import onnx_elementwise, onnx_layers, onnx_order
from k210kit.compiler.importers.onnx_table import OPERATORS

__all__ = ["OPERATORS", "onnx_elementwise", "onnx_layers", "onnx_order"]
