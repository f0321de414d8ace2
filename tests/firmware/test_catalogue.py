"""The catalogue against the figures that were measured on boards and images."""

from __future__ import annotations

import pytest

from k210kit.errors import InputError
from k210kit.firmware import FEATURES, catalogue, find, parse_needs, with_features
from k210kit.firmware.sizes import predict
from k210kit.firmware.variants import VARIANTS, settings_of

# image and bss in bytes, heap start, free bytes behind a GC heap of 512 KiB
MEASURED = {
    "full": (2_115_264, 2_953_152, 0x802E0FC0, 2_622_064),
    "with_lvgl": (2_356_416, 3_217_600, 0x803218C0, 2_430_336),
    "openmv_kmodel_v4_with_ide": (1_521_856, 1_595_200, 0x80195740, 4_033_696),
    "minimum_with_ide": (720_640, 783_296, 0x800CF3C0, 4_918_320),
    "minimum_with_kmodel_v4": (1_073_280, 1_121_984, 0x80121EC0, 4_506_912),
    "minimum_speech_with_ide": (1_133_120, 2_038_400, 0x80201A80, 3_590_496),
    "unitv_custom": (1_670_528, 2_478_400, 0x8026D140, 3_223_216),
    "m5stickv_5_1_2": (1_692_416, 2_524_032, 0x80278380, 3_051_184),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measured_builds_have_their_measured_memory(name: str) -> None:
    row = find(name)
    assert (row.image_bytes, row.ram_bytes, row.heap_start, row.free_after_gc_bytes) == MEASURED[name]


@pytest.mark.parametrize("name", ["full", "with_lvgl", "openmv_kmodel_v4_with_ide", "minimum_with_ide"])
def test_the_size_model_gives_the_measured_images_exactly(name: str) -> None:
    (variant,) = (row for row in VARIANTS if row.name == name)
    size = predict(settings_of(variant))
    assert (size.image_bytes, size.ram_bytes, size.heap_start) == MEASURED[name][:3]


@pytest.mark.parametrize("name", ["minimum_with_kmodel_v4", "minimum_speech_with_ide"])
def test_the_size_model_is_near_to_older_images(name: str) -> None:
    (variant,) = (row for row in VARIANTS if row.name == name)
    size = predict(settings_of(variant))
    assert size.image_bytes == pytest.approx(MEASURED[name][0], rel=0.001)
    assert size.ram_bytes == pytest.approx(MEASURED[name][1], rel=0.001)


def test_the_size_model_holds_on_images_that_were_not_used_to_make_it() -> None:
    (twatch,) = (row for row in VARIANTS if row.name == "twatch")
    lilygo = predict(settings_of(twatch))  # their v0.6.2-75
    assert lilygo.image_bytes == pytest.approx(1_739_456, rel=0.006)
    assert lilygo.ram_bytes == pytest.approx(2_566_912, rel=0.006)
    (variant,) = (row for row in VARIANTS if row.name == "m5stickv")
    off = (
        "MICROPYTHON_KMODEL_V4_SUPPORT",
        "MICROPYTHON_ULAB_ENALBE",
        "MAIXPY_THREAD_ENABLE",
        "FREERTOS_ENABLE",
        "MAIXPY_MIC_ARRAY_ENABLE",
    )
    size = predict(settings_of(variant) | dict.fromkeys(off, "n"))
    assert size.image_bytes == pytest.approx(MEASURED["unitv_custom"][0], rel=0.01)
    assert size.ram_bytes == pytest.approx(MEASURED["unitv_custom"][1], rel=0.01)


def test_the_gc_heap_of_the_full_build_lies_where_a_boot_log_shows_it() -> None:
    assert find("full").pre_gc_bytes == 126_400
    boot = find("full").boot(0x80000)
    assert boot.gc_heap_address == 0x802E0FC0 + 126_400 + 16


def test_all_thirteen_shipped_builds_and_the_preset_are_there() -> None:
    assert len([row for row in catalogue() if row.config_file]) == 13
    assert find("unitv").features == frozenset({"ide", "thread", "ws2812", "double_buffer", "board", "fpioa_manager"})
    assert find("unitv").sensor_hz == 24_000_000
    assert find("m5stickv").sensor_hz == 12_000_000
    assert find("unitv").kmodel_versions == (3,)
    assert find("full").kmodel_versions == (3, 4)


def test_release_names_are_understood() -> None:
    assert find("maixpy_minimum_with_ide_support").name == "minimum_with_ide"
    assert find("openmv-kmodel-v4-with-ide-support").name == "openmv_kmodel_v4_with_ide"


def test_an_unknown_name_says_what_comes_near() -> None:
    with pytest.raises(InputError, match=r"Did you mean minimum_with_ide\?"):
        find("minimum_with_idee")


def test_needs_choose_the_builds_that_have_them_all() -> None:
    assert next(row.name for row in with_features(parse_needs("_thread, WS2812,ide"))) == "unitv"
    assert with_features(parse_needs("find_blobs,kmodel-v4,ide"))[0].name == "openmv_kmodel_v4_with_ide"
    with pytest.raises(InputError, match="Did you mean thread"):
        parse_needs("treads")


def test_every_feature_has_a_meaning() -> None:
    assert all(FEATURES[word] for row in catalogue() for word in row.features)


def test_a_gc_heap_that_does_not_fit_falls_back_to_128_kib() -> None:
    boot = find("full").boot(8_388_608)
    assert boot.fell_back
    assert boot.gc_heap_bytes == 131_072
