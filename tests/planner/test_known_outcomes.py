"""What boards are known to do: five outcomes, the cases consistent with them, and executed allocations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from k210kit.firmware import find
from k210kit.planner import ModelSizes, Setup, budget, plan, sizes_of
from k210kit.planner.memory import model_mallocs
from k210kit.timing import Load

CLASSIFIER = ModelSizes(
    name="classifier of maix_train", file_bytes=1_882_056, main_memory_bytes=752_640, largest_body_bytes=596_480
)
SMALL_TAIL = ModelSizes(
    name="the same with a smaller tail", file_bytes=1_882_056, main_memory_bytes=188_160, largest_body_bytes=596_480
)
MOBILENET_1000 = ModelSizes(
    name="MobileNet 1.0, 1000 classes", file_bytes=4_318_920, main_memory_bytes=250_880, largest_body_bytes=1_057_280
)
DETECTOR = ModelSizes(name="YOLOv2", file_bytes=1_903_016, main_memory_bytes=7_352, largest_body_bytes=596_480)
FRUIT = ModelSizes(name="fruit", file_bytes=1_910_696, main_memory_bytes=9_800, largest_body_bytes=596_480)
QVGA = (320, 240)
PAGES = 6 * 4096  # what lies unused on top: each growth of the heap rounds up without counting what is left


@dataclass(frozen=True, kw_only=True)
class Outcome:
    firmware: str
    model: ModelSizes
    load: Load = "ram"
    camera: bool = True
    free: int
    needed: int
    fits: bool


@pytest.mark.parametrize(
    "known",
    [
        Outcome(
            firmware="full", model=MOBILENET_1000, load="flash-dual", free=2_056_864, needed=2_370_576, fits=False
        ),
        Outcome(firmware="full", model=MOBILENET_1000, load="flash", free=2_056_864, needed=1_313_024, fits=True),
        Outcome(
            firmware="minimum_with_ide", model=MOBILENET_1000, load="flash-dual", free=4_353_120, needed=2_370_576,
            fits=True,
        ),
        Outcome(firmware="full", model=CLASSIFIER, camera=False, free=2_594_512, needed=2_635_144, fits=False),
        Outcome(firmware="full", model=SMALL_TAIL, camera=False, free=2_594_512, needed=2_070_664, fits=True),
        Outcome(firmware="full", model=SMALL_TAIL, free=2_056_864, needed=2_070_664, fits=False),
        Outcome(firmware="minimum_with_ide", model=CLASSIFIER, free=4_353_120, needed=2_635_144, fits=True),
    ],
    ids=lambda known: f"{known.firmware}, {known.model.name}, {known.load}",
)  # fmt: skip
def test_the_outcomes_that_users_reported(known: Outcome) -> None:
    screen = QVGA if known.camera else None
    setup = Setup(firmware=find(known.firmware), load=known.load, camera=screen, lcd=screen)
    made = budget(setup, known.model)
    assert made.fits == known.fits
    assert made.free_bytes == known.free
    assert made.needed_bytes == pytest.approx(known.needed, abs=100)
    assert made.spare_bytes == pytest.approx(known.free - known.needed, abs=PAGES)


def test_a_model_loaded_first_leaves_the_screen_without_memory() -> None:
    setup = Setup(firmware=find("full"), camera=QVGA, lcd=QVGA, model_first=True)
    made = budget(setup, SMALL_TAIL)
    assert [item.name for item in made.failed] == ["LCD 320x240"]
    larger = budget(Setup(firmware=find("full"), camera=(640, 480), model_first=True), SMALL_TAIL)
    assert "OSError: [Errno 12] ENOMEM" in larger.failed[0].error


@pytest.mark.parametrize("model", [DETECTOR, FRUIT], ids=lambda model: model.name)
def test_detectors_work_on_the_full_build_but_not_with_two_camera_buffers(model: ModelSizes) -> None:
    one = budget(Setup(firmware=find("full"), camera=QVGA, lcd=QVGA), model)
    assert one.fits
    assert one.spare_bytes == pytest.approx(135_000, abs=20_000)
    assert not budget(Setup(firmware=find("full"), camera=QVGA, lcd=QVGA, dual_buffer=True), model).fits


def test_mobilenet_from_ram_on_minimum_needs_a_smaller_gc_heap() -> None:
    setup = Setup(firmware=find("minimum"), camera=QVGA, lcd=QVGA)
    result = plan(setup, MOBILENET_1000)
    assert not result.fits
    assert any(row.kind == "smaller GC heap" and "utils.gc_heap_size(0x40000)" in row.how for row in result.remedies)
    smaller = Setup(firmware=find("minimum"), camera=QVGA, lcd=QVGA, gc_heap_bytes=0x40000)
    assert budget(smaller, MOBILENET_1000).fits


def test_the_classifier_on_the_full_build_is_told_three_ways_out() -> None:
    result = plan(Setup(firmware=find("full"), camera=QVGA, lcd=QVGA), CLASSIFIER)
    kinds = {row.kind for row in result.remedies}
    assert {"load_flash", "other firmware"} <= kinds
    assert "minimum_with_ide" in " ".join(row.what for row in result.remedies)
    assert "kpu.load_flash(0x300000, 0, 0xc000, 60000000)" in " ".join(row.how for row in result.remedies)
    assert "2006, ERR_NO_MEM" in result.verdict


def test_what_the_library_allocates_is_what_was_executed(shared: Path) -> None:
    from k210kit.kmodel import load

    cases = json.loads((shared / "facts" / "maixpy-load-errors.json").read_text())
    mnist = sizes_of(load(shared / "golden" / "real" / "mnist.kmodel"))
    ways: dict[str, Load] = {
        "kpu.load(path)": "ram",
        "kpu.load(addr)": "ram",
        "load_flash single": "flash",
        "load_flash dual": "flash-dual",
    }
    seen = [row for row in cases if row["case"] == "good mnist"]
    assert len(seen) == 4
    for row in seen:
        executed = [int(word[1:]) for word in row["mallocs"].split()]
        assert [size for _, size in model_mallocs(mnist, ways[row["path"]])] == executed


def test_every_executed_load_makes_the_allocations_of_its_way(shared: Path) -> None:
    """Order and constants, for all recorded loads that went well; the three sizes are read from the record itself."""
    ways: dict[str, Load] = {
        "kpu.load(path)": "ram",
        "kpu.load(addr)": "ram",
        "load_flash single": "flash",
        "load_flash dual": "flash-dual",
    }
    cases = json.loads((shared / "facts" / "maixpy-load-errors.json").read_text())
    loaded = [row for row in cases if row["load"] == 0 and row["mallocs"]]
    assert len(loaded) > 70
    for row in loaded:
        executed = [int(word[1:]) for word in row["mallocs"].split()]
        from_ram = ways[row["path"]] == "ram"
        sizes = ModelSizes(
            name=row["case"],
            file_bytes=executed[1] - 256 if from_ram else 0,
            main_memory_bytes=executed[3],
            largest_body_bytes=0 if from_ram else executed[4] - 256,
        )
        assert [size for _, size in model_mallocs(sizes, ways[row["path"]])] == executed, row


def test_of_two_buffers_the_second_is_tried_even_if_the_first_failed() -> None:
    large = ModelSizes(name="large", file_bytes=9, main_memory_bytes=0, largest_body_bytes=4_000_000)
    made = budget(Setup(firmware=find("full"), load="flash-dual", camera=None), large)
    assert [item.name for item in made.failed] == ["model: buffer for the largest layer", "model: second buffer"]


def test_every_recorded_model_gets_an_answer(shared: Path) -> None:
    from k210kit.planner import fit

    files = sorted((shared / "golden").glob("*/*.kmodel"))
    assert len(files) > 80
    for file in files:
        result = fit(file, firmware="m5stickv", load="flash-dual")
        assert result.items
        assert result.fits or result.verdict
