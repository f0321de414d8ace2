"""What a .bin is, told from its content."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.errors import FormatError, InputError
from k210kit.firmware import FEATURES, find, named_otherwise, read_image, resolve
from k210kit.firmware.image import _MARKS
from tests.firmware.images import MEMSET_THAT_CALLS_ITSELF, STRLEN_THAT_CALLS_ITSELF, constant, image

FULL = [
    "ide",
    "thread",
    "ws2812",
    "find_blobs",
    "ulab",
    "video",
    "mic_array",
    "touch",
    "wiznet",
    "pye",
    "fpioa_manager",
    "board",
]
SMALL = image(size=4096, ram_bytes=783_296)


def test_version_date_variant_and_memory_are_read() -> None:
    made = read_image(image())
    assert (made.version, made.date) == ("v0.6.2-84-g8fcd84a58", "2022-08-26")
    assert (made.variant, made.variant_exact) == ("minimum_with_ide", True)
    assert made.heap_start == find("minimum_with_ide").heap_start
    assert made.free_after_gc_bytes == find("minimum_with_ide").free_after_gc_bytes
    assert made.kmodel_versions == (3,)
    assert made.sensor_hz == 24_000_000
    assert made.gc_fallback


def test_the_full_build_is_recognised_with_what_it_takes_before_the_gc_heap() -> None:
    made = read_image(image(FULL, size=2_115_264, ram_bytes=2_953_152, kmodel_v4=True))
    assert (made.variant, made.variant_exact) == ("full", True)
    assert made.pre_gc_bytes == 126_400
    assert made.features["nes"]  # by its bss alone
    assert made.kmodel_versions == (3, 4)
    assert made.free_after_gc_bytes == 2_622_064


# as public images have them: a build without tags, krux, the first M5StickV, LoBo's MicroPython, CanMV
@pytest.mark.parametrize(
    ("uname", "system", "version", "date"),
    [
        (
            ("Sipeed_M1 with kendryte-k210", "9720594 on 2020-11-27", "0.6.0"),
            "MaixPy", "v0.6.0 (9720594)", "2020-11-27",
        ),
        (("Sipeed_M1 with kendryte-k210", "v1.11 on 2024-03-11", "0.0.0"), "MaixPy", "v1.11", "2024-03-11"),
        (
            ("M5Stick-V with Kendryte K210", "v0.4.0-52-g3b8c18b84-dirty on 2019-10-21", "0.4.0"),
            "MaixPy", "v0.4.0-52-g3b8c18b84-dirty", "2019-10-21",
        ),
        (
            ("Sipeed_board with Kendryte-K210", "1efaac0-dirty on 2020-03-12", "1.12.0"),
            "MicroPython", "v1.12.0 (1efaac0-dirty)", "2020-03-12",
        ),
        (
            ("CanMV_Board with kendryte-k210", "v1.0.5-4-g42c54b5 on 2024-04-11", "1.0.7"),
            "CanMV", "v1.0.5-4-g42c54b5", "2024-04-11",
        ),
    ],
    ids=["no tags", "krux", "first M5StickV", "LoBo", "CanMV"],
)  # fmt: skip
def test_what_os_uname_gives_is_read(uname: tuple[str, str, str], system: str, version: str, date: str) -> None:
    made = read_image(image(uname=uname))
    assert (made.system, made.machine, made.version, made.date) == (system, uname[0], version, date)
    assert made.release == uname[2]
    assert made.is_maixpy == (system == "MaixPy")
    if not made.is_maixpy:
        assert made.features == {}
        assert made.unknown == (
            f"It is {system}, but not MaixPy: its features, its free memory and what kmodels it loads are unknown.",
        )


def test_a_plan_for_another_micropython_is_refused_by_its_name(tmp_path: Path) -> None:
    file = tmp_path / "canmv.bin"
    file.write_bytes(image(uname=("CanMV_Board with kendryte-k210", "v1.0.5-4-g42c54b5 on 2024-04-11", "1.0.7")))
    with pytest.raises(
        InputError, match=r"holds CanMV v1.0.5-4-g42c54b5, not MaixPy: what memory it leaves is unknown"
    ):
        resolve(file)


def test_a_program_whose_first_jump_has_four_bytes_is_one() -> None:
    made = image()
    assert read_image(made[:2] + b"\1\0" + made[2:-2]).version == read_image(made).version


def test_what_the_image_does_not_tell_is_unknown() -> None:
    made = read_image(image(sensor_places=3))
    assert made.features["double_buffer"] is None
    assert made.sensor_hz is None
    assert any("camera clock cannot be told" in text for text in made.unknown)


@pytest.mark.parametrize("sensor_hz", [12_000_000, 20_000_000, 24_000_000])
def test_the_camera_clock_is_the_one_that_is_loaded_at_four_places(sensor_hz: int) -> None:
    assert read_image(image(sensor_hz=sensor_hz)).sensor_hz == sensor_hz


def test_two_clocks_at_four_places_are_no_answer() -> None:
    assert read_image(image(code=4 * (constant(12_000_000) + bytes(40)))).sensor_hz is None


def test_the_speech_recogniser_is_not_taken_for_the_nes_emulator() -> None:
    words = ["ide", "speech", "fpioa_manager", "board"]
    made = read_image(image(words, size=1_133_120, ram_bytes=2_038_400, kmodel_v4=True))
    assert not made.features["nes"]
    assert (made.variant, made.variant_exact) == ("minimum_speech_with_ide", True)
    both = read_image(image([*words, "find_blobs"], size=1_900_000, ram_bytes=3_500_000, kmodel_v4=True))
    assert both.features["nes"]


def test_a_t_watch_build_is_looked_for_among_the_boards_that_no_text_tells_apart() -> None:
    words = ["ide", "thread", "find_blobs", "ulab", "video", "mic_array", "touch", "pye", "fpioa_manager", "board"]
    made = read_image(image(words, size=1_747_224, ram_bytes=2_575_260, sensor_hz=12_000_000))
    assert (made.variant, made.variant_exact) == ("twatch", True)


def test_every_mark_is_of_a_feature() -> None:
    assert set(_MARKS) <= set(FEATURES)


@pytest.mark.parametrize("code", [STRLEN_THAT_CALLS_ITSELF, MEMSET_THAT_CALLS_ITSELF])
def test_a_miscompiled_strlen_or_memset_is_found(code: bytes) -> None:
    made = read_image(image(code=code))
    assert len(made.self_calls) == 1
    assert "only calls itself" in made.warnings[0]


def test_a_recursion_that_ends_is_no_fault() -> None:
    walk = bytes.fromhex("09c5") + STRLEN_THAT_CALLS_ITSELF[:4] + bytes.fromhex("0865") + STRLEN_THAT_CALLS_ITSELF[4:]
    assert read_image(image(code=walk)).self_calls == ()
    assert read_image(image()).self_calls == ()


def test_a_name_that_lies_about_the_version_is_told() -> None:
    assert named_otherwise("v0.5.0", "M5StickV_Firmware_v5.1.2.bin") == "The file is named 5.1.2, but it holds v0.5.0."
    assert named_otherwise("v0.6.2-84-g8fcd84a58", "maixpy_v0.6.2_84.bin") == ""
    assert named_otherwise("v0.5.0", "maixpy.bin") == ""


def test_another_program_is_not_called_maixpy() -> None:
    made = read_image(image().replace(b"MicroPython", b"MacroPython"))
    assert not made.is_maixpy
    assert made.free_after_gc_bytes is None
    assert "not MaixPy" in made.unknown[0]


def test_what_is_no_program_is_refused() -> None:
    with pytest.raises(FormatError, match="no K210 program"):
        read_image(b"hello, world")
    with pytest.raises(FormatError, match="larger than the memory"):
        read_image(image(size=7 * 1024 * 1024))


def test_an_image_serves_as_a_firmware(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.bin"
    path.write_bytes(image())
    made = resolve(path)
    assert made.heap_start == find("minimum_with_ide").heap_start
    assert made.memory_source == "read from the image's start-up code"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=600), st.integers(0, 4096), st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255))))
def test_damaged_images_are_read_or_refused_in_one_message(tail: bytes, cut: int, flips: list[tuple[int, int]]) -> None:
    damaged = bytearray(SMALL[:cut] + tail)
    for place, value in flips:
        if place < len(damaged):
            damaged[place] = value
    with suppress(FormatError):
        made = read_image(bytes(damaged))
        assert made.size == len(damaged)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=3000))
def test_random_code_behind_the_magic_is_read_without_a_fault(body: bytes) -> None:
    read_image(bytes.fromhex("21a8efbeadde") + body)
