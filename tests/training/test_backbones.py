"""ImageNet weights reach the net unchanged, or the user is told what is wrong with the file."""

from __future__ import annotations

import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from k210kit.errors import FileError, FormatError, InputError
from k210kit.training.backbones import alpha_of, carry_over, find_weights, read_weights
from k210kit.training.datasets.pixels import InputSize

NAME = "mobilenet_v1_0.25_224_imagenet_1000.h5"


def test_the_width_is_told_by_the_file(shared: Path) -> None:
    assert alpha_of(read_weights(shared / "backbones" / NAME)) == 0.25


def test_weights_are_carried_over_layer_by_layer(shared: Path) -> None:
    pytest.importorskip("tensorflow", reason="TensorFlow is not installed")
    from k210kit.training.models import classifier

    weights = read_weights(shared / "backbones" / NAME)
    for channels in (3, 1):
        model = classifier("mobilenet", InputSize(width=96, height=64, channels=channels), 0.25, 2)
        carry_over(weights, model, alpha=0.25)
        first = model.get_layer("conv1").get_weights()[0]
        kernel = weights["conv1"]["kernel"]
        assert np.allclose(first, kernel if channels == 3 else kernel.sum(2, keepdims=True))
        assert np.allclose(
            model.get_layer("conv_pw_13_bn").get_weights()[3], weights["conv_pw_13_bn"]["moving_variance"]
        )
    with pytest.raises(InputError, match=r"do not fit alpha 0\.5\. It belongs to alpha 0\.25; give --alpha 0\.25"):
        carry_over(weights, model, alpha=0.5)


def test_a_file_of_something_else_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(FormatError, match="is not a readable HDF5 file"):
        read_weights(tmp_path / "a.h5")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["dense/kernel:0"] = np.zeros((2, 2))
    with pytest.raises(FormatError, match="lacks 54 of MobileNetV1's layers, 'conv1' first"):
        read_weights(tmp_path / "b.h5")
    with pytest.raises(FileError, match="does not exist"):
        read_weights(tmp_path / "c.h5")


def test_the_cache_and_installed_packages_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    with pytest.raises(InputError, match="are not on this computer"):
        find_weights(0.5, download=False)
    package, info = tmp_path / "site" / "some_weights", tmp_path / "site" / "some_weights-1.0.dist-info"
    for folder in (package, info):
        folder.mkdir(parents=True)
    (package / "mobilenet_5_0_224_tf_no_top.h5").write_bytes(b"x")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-weights\nVersion: 1.0\n")
    (info / "RECORD").write_text("some_weights/mobilenet_5_0_224_tf_no_top.h5,,\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "site")])
    assert find_weights(0.5, download=False) == package / "mobilenet_5_0_224_tf_no_top.h5"
    cached = tmp_path / "keras" / "models" / "mobilenet_5_0_160_tf.h5"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x")
    assert find_weights(0.5, download=False) == cached
