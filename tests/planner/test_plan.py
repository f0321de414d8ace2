"""What the plan says beyond the known outcomes: remedies that were tried, hazards, speed, pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.errors import FileError, InputError
from k210kit.firmware import catalogue, find
from k210kit.hardware import GENERAL_MEMORY_END
from k210kit.kmodel import UnknownLayer
from k210kit.planner import ModelSizes, Setup, budget, fit, frame_size, plan, sizes_of
from k210kit.planner.bars import bars
from k210kit.planner.hazards import best_batch, hazards, overruns
from k210kit.planner.memory import model_mallocs
from k210kit.planner.page import page, write_html
from k210kit.planner.picture import draw, write_png
from k210kit.planner.sizes import scaled
from k210kit.timing import dual_groups
from tests.timing.nets import face_detector, mobilenet, yolo_on_mobilenet

SIZES = ModelSizes(name="model", file_bytes=400_000, main_memory_bytes=45_000, largest_body_bytes=68_096)


def rules(setup: Setup, sizes: ModelSizes, batch: int = 0xC000) -> dict[str, str]:
    return {row.rule: row.level for row in hazards(setup, sizes, batch_bytes=batch)}


@settings(max_examples=60, deadline=None)
@given(
    st.integers(100, 4_500_000),
    st.integers(0, 800_000),
    st.integers(100, 1_100_000),
    st.sampled_from(["ram", "flash", "flash-dual"]),
    st.booleans(),
)
def test_spare_bytes_are_exactly_how_far_the_memory_could_shrink(
    file: int, main: int, body: int, load: str, dual: bool
) -> None:
    sizes = ModelSizes(name="any", file_bytes=file, main_memory_bytes=main, largest_body_bytes=body)
    setup = Setup(firmware=find("full"), load=load, camera=(320, 240), dual_buffer=dual)  # type: ignore[arg-type]
    made = budget(setup, sizes)
    assert made.fits == (made.spare_bytes >= 0)

    def holds(less: int) -> bool:
        from k210kit.planner import memory

        return all(item.fits for item in memory._run(setup, sizes, GENERAL_MEMORY_END - less)[0].items)

    assert holds(made.spare_bytes)
    assert not holds(made.spare_bytes + 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(1_500_000, 5_000_000), st.integers(10_000, 800_000), st.integers(10_000, 1_500_000))
def test_every_remedy_that_is_named_has_been_tried(file: int, main: int, body: int) -> None:
    sizes = ModelSizes(name="any", file_bytes=file, main_memory_bytes=main, largest_body_bytes=body)
    result = plan(Setup(firmware=find("full"), camera=(320, 240), lcd=(320, 240)), sizes)
    assert all(row.fits and row.spare_bytes >= 0 for row in result.remedies)
    if result.fits:
        assert result.remedies == ()


NETWORKS = {
    "mobilenet 1.0": mobilenet(1.0),
    "mobilenet 0.75": mobilenet(0.75),
    "mobilenet 0.5": mobilenet(0.5),
    "yolo": yolo_on_mobilenet(3),
    "face": face_detector(),
}
SETTINGS = st.fixed_dictionaries(
    {
        "firmware": st.sampled_from([row.name for row in catalogue()]),
        "load": st.sampled_from(["ram", "flash", "flash-dual"]),
        "camera": st.sampled_from(["none", "QQVGA", "QVGA", "VGA"]),
        "dual_buffer": st.booleans(),
        "lcd": st.sampled_from(["default", "none", "320x240", "480x320"]),
        "gc_heap": st.sampled_from([None, 0x20000, 0x80000, 0x180000, 0x280000]),
        "model_first": st.booleans(),
        "resized_to": st.sampled_from(["none", "224x224", "320x240"]),
        "streaming": st.booleans(),
    }
)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(NETWORKS)), SETTINGS)
def test_every_remedy_cures_when_its_settings_are_given_to_fit(network: str, asked: dict[str, Any]) -> None:
    result = fit(NETWORKS[network], **asked)
    for row in result.remedies:
        if row.settings:
            cured = fit(NETWORKS[network], **{**asked, **row.settings})
            assert cured.fits, (row, cured.verdict)
            assert (cured.spare_bytes, cured.certain) == (row.spare_bytes, row.certain)


@pytest.mark.parametrize("firmware", ["full", "with_lvgl", "m5stickv"])
def test_a_smaller_network_that_is_named_fits_when_it_is_built(firmware: str) -> None:
    result = fit(mobilenet(1.0), firmware=firmware)
    (smaller,) = (row for row in result.remedies if row.kind == "smaller alpha")
    width = float(smaller.what.split(" ")[0])
    assert fit(mobilenet(width), firmware=firmware).fits


def test_the_first_remedy_costs_neither_speed_nor_a_function() -> None:
    with_two = fit(yolo_on_mobilenet(1), firmware="full", dual_buffer=True)
    assert with_two.remedies[0].kind == "single buffer"
    kinds = [row.kind for row in fit(mobilenet(0.75), firmware="full").remedies]
    assert kinds.index("other firmware") < kinds.index("load_flash") < kinds.index("smaller alpha")


def test_nothing_is_said_to_cure_a_network_that_no_board_runs() -> None:
    whole = mobilenet(1.0)
    broken = replace(whole, layers=(whole.layers[0], UnknownLayer(number=77, body=b""), *whole.layers[1:]), layout=None)
    result = fit(broken, firmware="full")
    assert not result.fits
    assert result.remedies == ()


def test_a_model_that_no_single_change_saves_is_told_pairs_of_changes() -> None:
    sizes = ModelSizes(name="huge", file_bytes=5_900_000, main_memory_bytes=10, largest_body_bytes=2_350_000)
    setup = Setup(firmware=find("full"), camera=(320, 240), lcd=(320, 240), dual_buffer=True)
    pairs = plan(setup, sizes).remedies
    assert pairs
    assert any(" and " in row.kind for row in pairs)


def test_a_smaller_network_is_named_with_what_it_then_leaves() -> None:
    result = fit(mobilenet(1.0), firmware="full")
    smaller = {row.kind: row for row in result.remedies if row.kind.startswith("smaller a")}
    assert smaller["smaller alpha"].what == "0.5 times the channels"
    assert smaller["smaller alpha"].spare_bytes > 0


def test_the_sizes_of_a_scaled_network_are_those_of_the_network_itself() -> None:
    whole, half = mobilenet(1.0), mobilenet(0.5)
    guessed, real = scaled(whole, sizes_of(whole), width=0.5), sizes_of(half)
    assert guessed.file_bytes == pytest.approx(real.file_bytes, rel=0.01)
    assert guessed.main_memory_bytes == real.main_memory_bytes
    assert guessed.largest_body_bytes == pytest.approx(real.largest_body_bytes, rel=0.01)


def test_a_gc_heap_that_falls_back_is_told() -> None:
    setup = Setup(firmware=find("full"), gc_heap_bytes=8_388_608)
    assert rules(setup, SIZES)["GC heap"] == "warning"
    assert budget(setup, SIZES).gc_heap_bytes == 131_072


def test_other_firmware_keeps_the_features_that_are_needed() -> None:
    heavy = replace(SIZES, file_bytes=2_300_000)
    result = plan(
        Setup(firmware=find("full"), camera=(320, 240), lcd=(320, 240)), heavy, needs=frozenset({"find_blobs"})
    )
    names = [row.what for row in result.remedies if row.kind == "other firmware"]
    assert names == ["firmware openmv_kmodel_v4_with_ide"]


def test_a_header_beyond_4_kib_stops_load_flash_only() -> None:
    long = replace(SIZES, layer_count=505)
    assert "4 KiB header" in rules(Setup(firmware=find("full"), load="flash"), long)
    assert "4 KiB header" not in rules(Setup(firmware=find("full")), long)
    assert "4 KiB header" not in rules(Setup(firmware=find("full"), load="flash"), replace(SIZES, layer_count=490))


def test_dual_mode_counts_layers_in_a_byte() -> None:
    many = replace(SIZES, layer_count=256)
    assert rules(Setup(firmware=find("full"), load="flash-dual"), many)["255 layers"] == "stops"
    assert "255 layers" not in rules(Setup(firmware=find("full"), load="flash"), many)
    assert "255 layers" not in rules(Setup(firmware=find("full"), load="flash-dual"), replace(SIZES, layer_count=255))


def test_a_batch_size_beyond_the_largest_body_overruns_the_buffer() -> None:
    chain = replace(SIZES, layer_count=100, largest_body_bytes=1_024, body_sizes=(1_024, 656) * 50)
    assert rules(Setup(firmware=find("full"), load="flash-dual"), chain)["batch size"] == "warning"
    safe = best_batch(chain)
    assert overruns(chain.body_sizes, safe) <= 0
    assert "batch size" not in rules(Setup(firmware=find("full"), load="flash-dual"), chain, safe)


@given(st.lists(st.integers(4, 70_000), min_size=1, max_size=60), st.integers(1, 200_000))
def test_groups_of_dual_mode_cover_every_layer_once(bodies: list[int], batch: int) -> None:
    groups = dual_groups(bodies, batch)
    assert [i for group in groups for i in range(group.start, group.stop)] == list(range(len(bodies)))
    assert all(group.size == sum(bodies[group.start : group.stop]) for group in groups)


@given(st.lists(st.integers(1, 20_000).map(lambda n: 4 * n), min_size=1, max_size=60))
def test_the_batch_size_that_is_written_is_safe(bodies: list[int]) -> None:
    sizes = replace(SIZES, body_sizes=tuple(bodies), largest_body_bytes=max(bodies), layer_count=len(bodies))
    assert overruns(sizes.body_sizes, best_batch(sizes)) <= 0


def test_the_models_in_use_are_safe_with_the_usual_batch_size() -> None:
    for network in (face_detector(), mobilenet(0.75), yolo_on_mobilenet(1)):
        assert best_batch(sizes_of(network)) == 0xC000


def test_layers_of_the_cpu_recurse() -> None:
    setup = Setup(firmware=find("full"))
    assert rules(setup, replace(SIZES, cpu_layer_run=37))["stack"] == "stops"
    assert rules(setup, replace(SIZES, cpu_layer_run=32))["stack"] == "warning"
    assert "stack" not in rules(setup, replace(SIZES, cpu_layer_run=20))


def test_models_beside_it_take_their_memory_first() -> None:
    alone = fit(mobilenet(0.5), firmware="minimum_with_ide")
    both = fit(mobilenet(0.5), firmware="minimum_with_ide", beside=[face_detector()])
    face = sum(size for _, size in model_mallocs(sizes_of(face_detector()), "ram"))
    assert alone.spare_bytes - both.spare_bytes == pytest.approx(face, abs=3 * 4096)
    assert both.needed_bytes == alone.needed_bytes
    assert "model beside it, 1: file" in {item.name for item in both.items}
    from_flash = fit(mobilenet(0.5), firmware="minimum_with_ide", load="flash", beside=[face_detector()])
    assert from_flash.spare_bytes > both.spare_bytes


def test_a_sixth_model_is_one_too_many() -> None:
    assert fit(face_detector(), firmware="minimum_with_ide", beside=[face_detector()] * 4).fits
    full = fit(face_detector(), firmware="minimum_with_ide", beside=[face_detector()] * 5)
    assert full.verdict == "MaixPy keeps 5 models, these are 6: error 2009."


def test_two_camera_buffers_need_a_build_that_has_them() -> None:
    assert rules(Setup(firmware=find("amigo_tft_minimum"), dual_buffer=True), SIZES)["double buffer"] == "stops"


def test_a_resized_picture_comes_out_of_the_gc_heap() -> None:
    small = Setup(firmware=find("full"), gc_heap_bytes=0x20000, resized_to=(224, 224))
    made = budget(small, SIZES)
    assert [item.where for item in made.failed] == ["GC heap", "GC heap"]
    planes = {item.name: item.bytes for item in made.items if item.where == "GC heap"}
    assert planes["picture 224x224"] == 100_352
    assert planes["its planes, pix_to_ai"] == 172_032  # rows of 256 bytes


def test_speed_is_told_for_every_way_of_loading_and_both_camera_clocks() -> None:
    result = fit(face_detector(), firmware="m5stickv", lcd="none")
    assert len(result.speeds) == 12
    assert {(row.load, row.sensor_hz, row.stream) for row in result.speeds} == {
        (load, hz, stream)
        for load in ("ram", "flash", "flash-dual")
        for hz in (12_000_000, 24_000_000)
        for stream in (False, True)
    }
    assert result.model.yolo_boxes == 1500
    assert result.fps_estimate == pytest.approx(8, rel=0.15)  # reported for the UnitV with this firmware
    streaming = fit(face_detector(), firmware="m5stickv", lcd="none", streaming=True)
    assert streaming.fps_estimate is not None
    assert streaming.fps_estimate < 5.5


def test_frame_sizes_are_names_or_pixels() -> None:
    assert frame_size("qvga") == (320, 240)
    assert frame_size("64x48") == (64, 48)
    assert frame_size("none") is None
    with pytest.raises(InputError, match="'320' is no picture size"):
        frame_size("320")


def test_a_bar_holds_every_byte_of_its_memory() -> None:
    for firmware in ("full", "minimum_with_ide"):
        for bar in bars(fit(mobilenet(1.0), firmware=firmware)):
            kept = sum(segment.bytes for segment in bar.segments if segment.group != "too much")
            assert kept == bar.total


def test_the_picture_and_the_page_are_written_whole_and_never_over_another(tmp_path: Path) -> None:
    result = fit(mobilenet(1.0), firmware="full")
    write_png(result, tmp_path / "memory.png")
    write_html(result, tmp_path / "memory.html")
    with pytest.raises(FileError, match="exists already"):
        write_html(result, tmp_path / "memory.html")
    assert draw(result).size[0] == 1200
    text = page(result)
    assert "It does not fit" in text
    assert "http" not in text  # needs nothing from elsewhere


def test_a_name_is_written_into_the_page_as_text() -> None:
    assert "<script>" not in page(plan(Setup(firmware=find("full")), replace(SIZES, name="<script>alert(1)</script>")))


def test_sending_pictures_needs_a_passing_buffer_that_may_be_what_is_missing() -> None:
    full = {"firmware": "full", "load": "flash", "lcd": "none", "camera": "QVGA"}
    quiet = fit(face_detector(), **full)  # type: ignore[arg-type]
    sending = fit(face_detector(), **full, streaming=True)  # type: ignore[arg-type]
    (buffer,) = (item for item in sending.items if item.name.startswith("img.compress"))
    assert buffer.bytes == 700 * 1024 + 16
    assert 600_000 < quiet.spare_bytes - sending.spare_bytes < 740_000  # run_yolo2 takes 48,000 at another time
    small = fit(face_detector(), firmware="minimum_with_ide", streaming=True)
    assert [item.bytes for item in small.items if item.name.startswith("img.compress")] == [300 * 1024 + 16]
    tight = fit(yolo_on_mobilenet(1), firmware="full", lcd="none", streaming=True)
    assert not tight.fits
    assert "Please reduce the resolution" in tight.verdict
    assert fit(yolo_on_mobilenet(1), firmware="full", lcd="none").fits


def test_run_yolo2_takes_and_gives_back_what_its_boxes_need() -> None:
    items = {item.name: item.bytes for item in fit(face_detector(), firmware="full").items if item.passing}
    assert items == {"run_yolo2: boxes": 24_016, "run_yolo2: probabilities": 12_016, "run_yolo2: order": 12_016}
