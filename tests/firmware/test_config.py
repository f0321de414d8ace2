"""Configurations: written, resolved by Kconfig's rules, checked, compared."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from k210kit.errors import InputError
from k210kit.firmware.check import check_configuration, differences
from k210kit.firmware.compare import compare
from k210kit.firmware.config import configuration_text, parse_lines, resolve_settings, variant_text
from k210kit.firmware.options import OPTIONS, option
from k210kit.firmware.presets import QUESTIONS, answered, changed, preset_settings
from k210kit.firmware.script_needs import needs_of
from k210kit.firmware.variants import VARIANTS, settings_of

# the options of a build that was reported to have 736,192 bytes (ossan-engineer.blogspot.com/2021/08)
TINY = """\
CONFIG_TOOLCHAIN_PATH="/opt/kendryte-toolchain/bin"
CONFIG_TOOLCHAIN_PREFIX="riscv64-unknown-elf-"
CONFIG_BOARD_MAIX=y
CONFIG_LCD_DEFAULT_WIDTH=240
CONFIG_LCD_DEFAULT_HEIGHT=135
CONFIG_SENSOR_FREQ=24000000
CONFIG_COMPONENT_DRIVERS_ENABLE=y
CONFIG_WS2812_ENABLE=y
CONFIG_COMPONENT_KENDRYTE_SDK_ENABLE=y
CONFIG_FREERTOS_ENABLE=y
CONFIG_STATIC_TASK_CLEAN_UP_ENABLE=y
CONFIG_COMPONENT_MICROPYTHON_ENABLE=y
CONFIG_MAIXPY_GC_HEAP_SIZE=0x80000
CONFIG_MAIXPY_IDE_SUPPORT=y
CONFIG_MAIXPY_THREAD_ENABLE=y
# CONFIG_MAIXPY_NES_ENABLE is not set
# CONFIG_MAIXPY_VIDEO_ENABLE is not set
# CONFIG_MAIXPY_TOUCH_SCREEN_ENABLE is not set
CONFIG_MAIXPY_OMV_MINIMUM=y
CONFIG_MAIXPY_OMV_DOUBLE_BUFF=y
# CONFIG_MAIXPY_MIC_ARRAY_ENABLE is not set
CONFIG_MAIXPY_WS2812_ENABLE=y
# CONFIG_MICROPYTHON_ULAB_ENALBE is not set
# CONFIG_MAIXPY_BUILTIN_PY_PYE is not set
CONFIG_MAIXPY_BUILTIN_PY_BOARD=y
CONFIG_MAIXPY_BUILTIN_PY_FPIOA_MANAGER=y
CONFIG_COMPONENT_SPIFFS_ENABLE=y
CONFIG_COMPONENT_UTILS_ENABLE=y
"""


def rules(text: str, script: str | None = None) -> dict[str, str]:
    return {row.rule: row.message for row in check_configuration(text, script=script).findings}


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda row: row.name)
def test_a_preset_resolves_to_its_own_settings_and_is_without_fault(variant) -> None:  # type: ignore[no-untyped-def]
    text = variant_text(variant)
    resolved = resolve_settings(text).settings
    assert {k: v for k, v in settings_of(variant).items() if resolved[k] not in ("", v)} == {}
    checked = check_configuration(text)
    assert checked.findings == ()
    assert checked.nearest in (variant.name, variant.name.replace("tft", "ips"))


def test_the_reported_build_is_predicted_within_3_per_cent() -> None:
    checked = check_configuration(TINY)
    assert checked.ok
    assert checked.findings == ()
    assert checked.size.image_bytes == pytest.approx(736_192, rel=0.03)
    assert checked.nearest == "unitv"
    assert checked.firmware.sensor_hz == 24_000_000
    assert checked.firmware.free_after_gc_bytes == pytest.approx(4_850_000, rel=0.02)


def test_a_file_copied_without_its_hash_lines_is_recognised() -> None:
    """As on the page of that build: by Kconfig's rules the listing says something else than what was built."""
    listing = "".join(line + "\n" for line in TINY.splitlines() if not line.startswith("#"))
    checked = check_configuration(listing)
    assert checked.settings["MAIXPY_NES_ENABLE"] == "y"
    assert checked.size.image_bytes > 1.2 * 736_192
    (lost,) = (row.message for row in checked.findings if row.rule == "lost lines")
    assert "CONFIG_MAIXPY_NES_ENABLE" in lost
    assert lost.endswith("The .bin would then have about 736,192 bytes.")


def test_a_missing_component_switch_silences_everything_and_is_told() -> None:
    text = TINY.replace("CONFIG_COMPONENT_MICROPYTHON_ENABLE=y\n", "")
    checked = check_configuration(text)
    assert not checked.ok
    assert "silently drops every MAIXPY_" in rules(text)["component"]
    assert checked.settings["MAIXPY_IDE_SUPPORT"] == "n"


def test_a_misspelt_key_is_told_with_what_was_meant() -> None:
    text = TINY + "CONFIG_MICROPYTHON_ULAB_ENABLE=y\n"
    assert "Did you mean CONFIG_MICROPYTHON_ULAB_ENALBE?" in rules(text)["unknown key"]
    assert not check_configuration(text).ok


def test_a_repeated_key_is_told_and_the_last_one_counts() -> None:
    text = TINY + "# CONFIG_MAIXPY_WS2812_ENABLE is not set\n"
    checked = check_configuration(text)
    assert "is set in line 22 already. Line 29 counts: n." in rules(text)["repeated"]
    assert checked.settings["MAIXPY_WS2812_ENABLE"] == "n"


def test_a_select_beats_is_not_set() -> None:
    text = TINY.replace("CONFIG_FREERTOS_ENABLE=y", "# CONFIG_FREERTOS_ENABLE is not set")
    assert "CONFIG_FREERTOS_ENABLE stays on: CONFIG_MAIXPY_THREAD_ENABLE=y selects it." in rules(text)["select"]
    assert check_configuration(text).settings["FREERTOS_ENABLE"] == "y"


def test_a_value_that_is_no_number_takes_the_default_and_is_told() -> None:
    text = TINY.replace("CONFIG_SENSOR_FREQ=24000000", "CONFIG_SENSOR_FREQ=24MHz")
    assert "a decimal number was expected. Kconfig takes 24000000." in rules(text)["value"]
    assert check_configuration(TINY + "CONFIG_SDK_LOG_LEVEL=9\n").findings[-1].rule == "value"


def test_a_gc_heap_that_cannot_fit_is_an_error_and_a_large_one_a_warning() -> None:
    assert "takes 131,072" in rules(TINY.replace("0x80000", "0x800000"))["GC heap"]
    large = check_configuration(TINY.replace("0x80000", "0x4C0000"))
    assert large.ok
    assert [row.rule for row in large.findings] == ["GC heap"]
    assert "not a multiple of 8" in rules(TINY.replace("0x80000", "0x80001"))["GC heap"]


def test_large_features_that_are_on_by_default_are_told() -> None:
    text = TINY.replace("# CONFIG_MAIXPY_NES_ENABLE is not set\n", "")
    assert "CONFIG_MAIXPY_NES_ENABLE is not mentioned, so it is on" in rules(text)["default"]


def test_what_a_script_needs_and_the_build_lacks_is_told_by_line() -> None:
    script = "import sensor\nimport _thread\nimg = sensor.snapshot()\nimg.find_blobs([])\nimport ulab\n"
    checked = check_configuration(TINY, script=script)
    messages = [row.message for row in checked.findings]
    assert messages == [
        "Line 4 of the script needs find_blobs (.find_blobs()). Write # CONFIG_MAIXPY_OMV_MINIMUM is not set.",
        "Line 5 of the script needs ulab (import ulab). Write CONFIG_MICROPYTHON_ULAB_ENALBE=y.",
    ]


def test_needs_are_read_from_source_without_running_it() -> None:
    source = (
        "from fpioa_manager import fm\nfrom Maix import MIC_ARRAY as mic\nimport sensor\nsensor.reset(dual_buff=True)\n"
    )
    assert [need.feature for need in needs_of(source)] == ["fpioa_manager", "mic_array", "double_buffer"]
    assert needs_of("sensor.reset(dual_buff=False)\nf = open('x')\nf.close()\ns = set()\ns.add(1)\n") == ()
    with pytest.raises(InputError, match=r"main\.py is no Python"):
        needs_of("print 'old'", "main.py")


def test_a_file_system_outside_of_the_flash_is_an_error() -> None:
    assert "behind the flash" in rules(TINY + "CONFIG_SPIFFS_START_ADDR=0xF00000\n")["flash"]


def test_the_speech_recogniser_needs_kmodel_v4_to_be_linked() -> None:
    """As a real build with GCC 12.2 ended: undefined reference to `nncase_run_kmodel'."""
    speech = configuration_text(changed(preset_settings("unitv"), ["MAIXPY_SPEECH_RECOGNIZER_ENABLE=y"]), "speech")
    (finding,) = (row for row in check_configuration(speech).findings if row.rule == "linker")
    assert finding.message.endswith("Write CONFIG_MICROPYTHON_KMODEL_V4_SUPPORT=y.")
    both = changed(preset_settings("unitv"), ["MAIXPY_SPEECH_RECOGNIZER_ENABLE=y", "MICROPYTHON_KMODEL_V4_SUPPORT=y"])
    assert check_configuration(configuration_text(both, "both")).ok


def test_answers_become_a_build_that_has_what_was_asked_for() -> None:
    answers = {question.name: question.default for question in QUESTIONS}
    unitv = answered(answers)
    assert differences(settings_of(next(v for v in VARIANTS if v.name == "unitv")), unitv) == ()
    made = check_configuration(
        configuration_text(answered(answers | {"openmv": "y", "ulab": "y", "gc_heap": "256"}), "mine")
    )
    assert {"find_blobs", "ulab", "ide", "thread", "ws2812"} <= made.firmware.features
    assert made.firmware.gc_heap_bytes == 262_144
    assert made.findings == ()
    with pytest.raises(InputError, match="is no answer"):
        answered(answers | {"board": "toaster"})


def test_single_changes_are_checked() -> None:
    made = changed(preset_settings("minimum"), ["CONFIG_MAIXPY_THREAD_ENABLE=y", "SENSOR_FREQ=12000000"])
    assert (made["MAIXPY_THREAD_ENABLE"], made["FREERTOS_ENABLE"], made["SENSOR_FREQ"]) == ("y", "y", "12000000")
    with pytest.raises(InputError, match="Did you mean SENSOR_FREQ"):
        changed(made, ["SENSOR_FREK=1"])
    with pytest.raises(InputError, match="is y or n"):
        changed(made, ["MAIXPY_IDE_SUPPORT=yes"])


def test_two_builds_are_compared_in_words() -> None:
    found = compare("minimum_with_ide", "unitv")
    assert found.sentences[0].startswith("unitv has what minimum_with_ide has not: thread (module _thread)")
    assert {row.key for row in found.differences} >= {"MAIXPY_THREAD_ENABLE", "MAIXPY_WS2812_ENABLE"}
    assert any("bytes less free" in text for text in found.sentences)
    assert compare("full", "full").sentences == ("No difference is known between them.",)


def test_costs_are_whole_and_known_by_their_source() -> None:
    nes = option("MAIXPY_NES_ENABLE")
    assert nes is not None
    assert nes.cost.bss > 700_000
    assert len({row.key for row in OPTIONS}) == len(OPTIONS)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_checked_without_a_fault(text: str) -> None:
    assert not check_configuration(text).ok


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from([row.key for row in OPTIONS]), st.text("yn0x19AFm \"'#", max_size=8), max_size=12)
)
def test_any_values_are_checked_without_a_fault(values: dict[str, str]) -> None:
    text = "".join(f"CONFIG_{key}={value}\n" for key, value in values.items())
    check_configuration(text)


def test_lines_are_read_as_kconfig_reads_them() -> None:
    lines = parse_lines('CONFIG_A=y\n# CONFIG_B is not set\n# a word\nCONFIG_C="x"\n\nCONFIG_D = 0x10 \n')
    assert [(row.key, row.value, row.number) for row in lines] == [("A", "y", 1), ("B", "n", 2), ("C", "x", 4)]


@pytest.mark.parametrize(
    "line", ["CONFIG_SENSOR_FREQ = 12000000", " CONFIG_SENSOR_FREQ=12000000", "#CONFIG_X is not set"]
)
def test_a_line_that_kconfig_passes_over_is_told(line: str) -> None:
    checked = check_configuration(TINY + line + "\n")
    assert [(row.rule, row.line) for row in checked.findings] == [("spelling", 29)]
    assert checked.settings["SENSOR_FREQ"] == "24000000"
