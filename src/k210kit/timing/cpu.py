"""Cycles of the CPU: layers of a kmodel that the KPU does not run, copies around the KPU, and YOLOv2's last steps.

Three constants are measured: the copy of a result out of KPU memory (nncase issue 96: 6.69 ms for 76,800 bytes at
400 MHz), DEQUANTIZE (issue 77: 0.404 ms for 9,000 elements) and QUANTIZED_ADD (issue 97: 58.7 ms for 307,200). The
others are estimates from what the loop of a layer does per element; in all known models they are a small part. What
`run_yolo2` does after the model is fitted to two models of which the time with it is known (see docs/design/timing.md).
"""

from __future__ import annotations

from k210kit.kmodel import layers as L
from k210kit.kmodel.layers import Conv, Layer

__all__ = ["RESULT_COPY_PER_BYTE", "cpu_cycles", "enlarging_cycles", "input_cycles", "yolo2_cycles"]

RESULT_COPY_PER_BYTE = 34.3
_INPUT_PER_BYTE = 5.0  # eight bytes at a time into KPU memory
_UPLOAD_PER_BYTE = 26.0  # nncase issue 97: 20.4 ms for 307,200 bytes
_PER_LAYER = 500
_YOLO2_PER_BOX = 1_500
_YOLO2_PER_BOX_AND_CLASS = 590
_PER_MULTIPLY_ADD = 5.0  # a chain of dependent fused multiply-adds

# cycles per element of the input
_PER_ELEMENT: dict[type[Layer], float] = {
    L.Add: 15,
    L.QuantizedAdd: 76,
    L.Quantize: 20,
    L.Dequantize: 18,
    L.Requantize: 6,
    L.ChannelwiseDequantize: 18,
    L.L2Normalize: 20,
    L.Softmax: 250,
    L.Logistic: 220,
    L.Flatten: 12,
    L.QuantizedFlatten: 10,
}
_POOL_PER_TAP = 12.0
_GLOBAL_POOL_PER_ELEMENT = 10.0
_RESIZE_PER_ELEMENT = 30.0
_CONCAT_PER_BYTE = 1.0
_PADDING_PER_CHANNEL = 40.0


def input_cycles(input_bytes: int) -> int:
    """Cycles to bring the input of a model into KPU memory."""
    return round(_INPUT_PER_BYTE * input_bytes)


def enlarging_cycles(result_bytes: int) -> int:
    """Cycles to enlarge a map and to bring the result into KPU memory."""
    return round((_RESIZE_PER_ELEMENT + _UPLOAD_PER_BYTE) * result_bytes)


def yolo2_cycles(boxes: int, classes: int) -> int:
    """Cycles of `run_yolo2` behind the model: sigmoids, softmax and suppression, boxes times classes."""
    return boxes * (_YOLO2_PER_BOX + _YOLO2_PER_BOX_AND_CLASS * classes)


def cpu_cycles(layer: Layer) -> int:
    """Cycles of the CPU for one layer; of a convolution, those that copy its result to main memory."""
    if isinstance(layer, Conv):
        registers = layer.registers
        result = registers.output_channels * registers.output_height * registers.output_width
        return round(RESULT_COPY_PER_BYTE * result) if layer.flags & 1 else 0
    return _PER_LAYER + round(_work(layer))


def _work(layer: Layer) -> float:
    per_element = _PER_ELEMENT.get(type(layer))
    if per_element is not None:
        return per_element * _elements(layer)
    if isinstance(layer, L.FullyConnected):
        return _PER_MULTIPLY_ADD * layer.in_channels * layer.out_channels
    if isinstance(layer, L.GlobalAveragePool):
        return _GLOBAL_POOL_PER_ELEMENT * layer.kernel_size * layer.channels
    if isinstance(layer, L.QuantizedMaxPool | L.AveragePool):
        taps = layer.kernel_width * layer.kernel_height
        return _POOL_PER_TAP * taps * layer.out_width * layer.out_height * layer.out_channels
    if isinstance(layer, L.ResizeNearest | L.QuantizedResizeNearest):
        return _RESIZE_PER_ELEMENT * layer.out_width * layer.out_height * layer.channels
    if isinstance(layer, L.Concat | L.QuantizedConcat):
        return _CONCAT_PER_BYTE * sum(int(part[1]) for part in layer.inputs)
    if isinstance(layer, L.Upload):
        return _UPLOAD_PER_BYTE * layer.width * layer.height * layer.channels
    if isinstance(layer, L.AddPadding | L.RemovePadding):
        return _PADDING_PER_CHANNEL * layer.channels
    return 0.0


def _elements(layer: Layer) -> int:
    if isinstance(layer, L.ChannelwiseDequantize):
        return layer.channels * layer.channel_size
    if isinstance(layer, L.Flatten | L.QuantizedFlatten):
        return layer.width * layer.height * layer.channels
    if isinstance(layer, L.L2Normalize | L.Softmax | L.Logistic):
        return layer.channels
    assert isinstance(layer, L.Add | L.QuantizedAdd | L.Quantize | L.Dequantize | L.Requantize)
    return layer.count
