"""Networks of which boards' times are known, built from their shapes with weights of zero."""

from __future__ import annotations

import numpy as np

from k210kit.kmodel import (
    ActivationTable,
    AddPadding,
    BatchNorm,
    Conv,
    Dequantize,
    GlobalAveragePool,
    Kmodel,
    Layer,
    Output,
    Quantize,
    Registers,
    RemovePadding,
    Softmax,
)

MAX, PICK = 1, 5  # pool types: max 2x2; left top of 2x2, which makes a stride of 2


def conv(
    shape: tuple[int, int, int], outputs: int, kernel: int, *, pool: int = 0, depthwise: bool = False, main: int = 0
) -> Conv:
    """A convolution on `shape` (channels, height, width) with weights of zero."""
    registers = Registers.for_conv(
        input_shape=shape, output_channels=outputs, kernel_size=kernel, depthwise=depthwise, pool_type=pool
    )
    taps = (shape[0], kernel, kernel) if depthwise else (outputs, shape[0], kernel, kernel)
    channels, segments = np.zeros(outputs, np.int64), np.zeros(16, np.int64)
    return Conv(
        flags=main,
        main_out=0,
        registers=registers,
        weights=np.zeros(taps, np.uint8),
        batch_norm=BatchNorm(mul=channels, add=channels, shift=channels),
        activation=ActivationTable(x_start=segments, y_mul=segments, shift=segments, bias=segments),
    )


def kmodel(layers: list[Layer], *, main: int, output: int) -> Kmodel:
    return Kmodel(main_memory_bytes=main, outputs=(Output(address=0, size=output),), layers=tuple(layers))


def dequantize(count: int) -> Dequantize:
    return Dequantize(input=0, output=0, count=count, scale=1.0, bias=0.0)


def face_detector() -> Kmodel:
    """The face detector that every MaixPy user has: 320x240, 23 convolutions, 30 channels of 20x15."""
    layers: list[Layer] = [conv((3, 240, 320), 16, 3, pool=MAX)]
    channels, height, width = 16, 120, 160
    for outputs, pool in [(32, 1), (64, 0), (64, 1), (128, 0), (128, 1), (256, 0), *[(256, 0)] * 4]:
        shape = channels, height, width
        layers.append(conv(shape, channels, 3, depthwise=True))
        layers.append(conv(shape, outputs, 1, pool=MAX * pool))
        channels, height, width = outputs, height // (1 + pool), width // (1 + pool)
    layers.append(conv((channels, height, width), channels, 3, depthwise=True))
    layers.append(conv((channels, height, width), 30, 1, main=1))
    return kmodel([*layers, dequantize(9_000)], main=45_000, output=36_000)


def mobilenet_body(alpha: float, size: int = 224) -> tuple[list[Layer], tuple[int, int, int]]:
    """The 27 convolutions of MobileNet v1 and the shape that they end with.

    Every second pixel is dropped behind the pointwise convolution, as in all files of the vendor's compiler that are
    known, not behind the depthwise one.
    """
    width = size
    channels = int(32 * alpha)
    layers: list[Layer] = [conv((3, width, width), channels, 3, pool=PICK)]
    width //= 2
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    for outputs, stride in blocks:
        shape = channels, width, width
        layers.append(conv(shape, channels, 3, depthwise=True))
        layers.append(conv(shape, int(outputs * alpha), 1, pool=PICK if stride == 2 else 0))
        channels, width = int(outputs * alpha), width // stride
    return layers, (channels, width, width)


def mobilenet(alpha: float, classes: int = 1000) -> Kmodel:
    """MobileNet v1 with its head as the vendor's compiler made it: pooling on the CPU, the last layer on 4x4 maps."""
    layers, (channels, height, width) = mobilenet_body(alpha)
    last = layers[-1]
    assert isinstance(last, Conv)
    layers[-1] = conv(last.registers.input_shape, channels, 1, main=1)
    elements = channels * height * width
    layers += [
        dequantize(elements),
        GlobalAveragePool(input=0, output=0, kernel_size=height * width, channels=channels),
        Quantize(input=0, output=0, count=channels, scale=1.0, bias=0.0),
        AddPadding(input=0, kpu_out=0, channels=channels),
        conv((channels, 4, 4), classes, 1, main=1),
        RemovePadding(input=0, output=0, channels=classes),
        dequantize(classes),
        Softmax(input=0, output=0, channels=classes),
    ]
    return kmodel(layers, main=5 * elements, output=4 * classes)


def yolo_on_mobilenet(classes: int) -> Kmodel:
    """YOLOv2 with five anchors on MobileNet 0.75 at 224x224: an output of 7x7."""
    layers, (channels, height, width) = mobilenet_body(0.75)
    outputs = 5 * (5 + classes)
    layers.append(conv((channels, height, width), outputs, 1, main=1))
    count = outputs * height * width
    return kmodel([*layers, dequantize(count)], main=5 * count, output=4 * count)
