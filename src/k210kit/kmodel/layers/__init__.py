"""One file per family of layers: the record, and what it does."""

from __future__ import annotations

from k210kit.kmodel.layers.add import Add, QuantizedAdd
from k210kit.kmodel.layers.base import LAYERS, Layer
from k210kit.kmodel.layers.concat import Concat, QuantizedConcat
from k210kit.kmodel.layers.convolution import ActivationTable, BatchNorm, Conv
from k210kit.kmodel.layers.flatten import Flatten, QuantizedFlatten
from k210kit.kmodel.layers.fully_connected import FullyConnected
from k210kit.kmodel.layers.kpu_memory import AddPadding, RemovePadding, Upload
from k210kit.kmodel.layers.pool import AveragePool, GlobalAveragePool, QuantizedMaxPool
from k210kit.kmodel.layers.quantize import ChannelwiseDequantize, Dequantize, Quantize, Requantize
from k210kit.kmodel.layers.resize import QuantizedResizeNearest, ResizeNearest
from k210kit.kmodel.layers.unknown import UnknownLayer
from k210kit.kmodel.layers.vectors import L2Normalize, Logistic, Softmax

__all__ = [
    "LAYERS",
    "ActivationTable",
    "Add",
    "AddPadding",
    "AveragePool",
    "BatchNorm",
    "ChannelwiseDequantize",
    "Concat",
    "Conv",
    "Dequantize",
    "Flatten",
    "FullyConnected",
    "GlobalAveragePool",
    "L2Normalize",
    "Layer",
    "Logistic",
    "Quantize",
    "QuantizedAdd",
    "QuantizedConcat",
    "QuantizedFlatten",
    "QuantizedMaxPool",
    "QuantizedResizeNearest",
    "RemovePadding",
    "Requantize",
    "ResizeNearest",
    "Softmax",
    "UnknownLayer",
    "Upload",
]
