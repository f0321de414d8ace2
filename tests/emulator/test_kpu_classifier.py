"""`KPU.classifier` learns classes from what a network makes of pictures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from k210kit.emulator.modules.kpu_classifier import _learned, make_classifier
from k210kit.emulator.modules.kpu_objects import KpuNet
from tests.emulator.desk import Desk
from tests.timing.nets import mobilenet

NET = KpuNet(cast(Any, None), address=1, path=None)


def seen(*features: float) -> Any:
    """A picture of which the network says these numbers."""
    return SimpleNamespace(pix_ai=np.array(features, np.float32))


@pytest.fixture
def classifier(desk: Desk) -> Any:
    desk.run("")
    return make_classifier(desk.board, lambda net, picture: cast(Any, picture.pix_ai))


def test_centres_move_to_the_means_of_what_is_near() -> None:
    centres = np.array([[0.0], [10.0]], np.float32)
    samples = np.array([[0.0], [1.0], [2.0], [9.0], [11.0]], np.float32)
    assert _learned(centres, samples).tolist() == [[1.0], [10.0]]


def test_a_class_without_samples_stays_where_it_was() -> None:
    centres = np.array([[0.0], [100.0]], np.float32)
    assert _learned(centres, np.array([[1.0], [3.0]], np.float32)).tolist() == [[2.0], [100.0]]


def test_two_classes_are_told_apart_and_the_lesson_is_kept(classifier: Any) -> None:
    learner = classifier(NET, 2, 4)
    assert [learner.add_class_img(seen(0, 0)), learner.add_class_img(seen(8, 6))] == [0, 1]
    assert [learner.add_sample_img(seen(0, 2)), learner.add_sample_img(seen(8, 8))] == [0, 1]
    learner.train()
    assert learner.predict(seen(0, 1)) == (0, 0.0)
    assert learner.predict(seen(8, 10)) == (1, 3.0)
    learner.save("/flash/two.classifier")
    again, classes, samples = classifier.load(NET, "/flash/two.classifier")
    assert (again.predict(seen(8, 10)), classes, samples) == ((1, 3.0), 2, 4)


def test_what_does_not_fit_is_refused(classifier: Any, desk: Desk) -> None:
    learner = classifier(NET, 1, 0)
    with pytest.raises(OSError, match="EINVAL"):
        learner.predict(seen(0))
    with pytest.raises(OSError, match="EINVAL"):
        learner.train()
    with pytest.raises(OSError, match="EINVAL"):
        learner.rm_class_img()
    learner.add_class_img(seen(0))
    with pytest.raises(OSError, match="EINVAL"):
        learner.add_class_img(seen(1))
    with pytest.raises(OSError, match="EINVAL"):
        learner.add_sample_img(seen(1))
    with desk.board.files.open("/flash/bad", "wb") as stream:
        stream.write(b"K210KIT1" + b"\xff" * 16)
    with pytest.raises(OSError, match="EINVAL"):
        classifier.load(NET, "/flash/bad")


def test_the_features_are_what_the_model_gives(desk: Desk) -> None:
    (desk.flash / "net.kmodel").write_bytes(mobilenet(0.25, 10).to_bytes())
    script = """
        import sensor, KPU
        sensor.reset()
        sensor.set_pixformat(sensor.RGB565)
        sensor.set_framesize(sensor.QVGA)
        sensor.set_windowing((224, 224))
        sensor.run(1)
        learner = KPU.classifier(KPU.load("/flash/net.kmodel"), 2, 4)
        learner.add_class_img(sensor.snapshot())
        learner.train()
        print(learner.predict(sensor.snapshot()))
    """
    assert desk.prints(script).endswith("(0, 0.0)\n")
    assert desk.fails("import KPU\nKPU.classifier(1, 2)\n") == "ValueError: model, class num, sample num"
