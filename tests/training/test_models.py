"""The nets are chains of what the KPU runs, padded as it pads."""

from __future__ import annotations

import pytest

from k210kit.errors import InputError, UnsupportedError
from k210kit.training.datasets.pixels import InputSize
from k210kit.training.models import ALPHAS, check_size, classifier, detector

pytest.importorskip("tensorflow", reason="TensorFlow is not installed")


@pytest.mark.parametrize("alpha", ALPHAS)
def test_every_stride_of_two_is_padded_by_one_on_all_sides(alpha: float) -> None:
    model = classifier("mobilenet", InputSize(width=96, height=96), alpha, 2)
    for before, layer in zip(model.layers, model.layers[1:], strict=False):
        if getattr(layer, "strides", (1, 1)) == (2, 2):
            assert before.padding == ((1, 1), (1, 1))
            assert layer.padding == "valid"
        elif "Conv" in type(layer).__name__:
            assert layer.padding == "same"


@pytest.mark.parametrize(
    ("width", "height", "channels", "cells"),
    [(224, 224, 3, (7, 7)), (320, 240, 3, (8, 10)), (96, 128, 1, (4, 3)), (240, 240, 3, (8, 8))],
)
@pytest.mark.parametrize("net", ["mobilenet", "tiny"])
def test_a_detectors_map_has_a_cell_per_stride(
    net: str, width: int, height: int, channels: int, cells: tuple[int, int]
) -> None:
    size = InputSize(width=width, height=height, channels=channels)
    model = detector(net, size, 0.25, 3, 5)  # type: ignore[arg-type]
    assert tuple(model.output_shape[1:]) == (*cells, 5 * (5 + 3))
    finer = detector(net, size, 0.25, 3, 5, stride=16)  # type: ignore[arg-type]
    assert tuple(finer.output_shape[1:3]) == (-(-height // 16), -(-width // 16))


def test_the_layers_of_mobilenet_have_the_names_of_keras_own() -> None:
    names = {layer.name for layer in classifier("mobilenet", InputSize(width=96, height=96), 0.25, 2).layers}
    assert {"conv1", "conv1_bn", "conv_dw_1", "conv_pw_13", "conv_pw_13_bn"} <= names


def test_sizes_that_the_camera_cannot_give_are_refused() -> None:
    with pytest.raises(InputError, match="The input's width is 100; the camera's window needs a multiple of 8"):
        check_size(InputSize(width=100, height=96))
    with pytest.raises(InputError, match="The input's height is 320"):
        check_size(InputSize(width=320, height=320))


def test_more_classes_than_the_kpu_has_channels_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="300 classes need 1525 output channels; the KPU takes at most 1024"):
        detector("tiny", InputSize(width=96, height=96), 1.0, 300, 5)
