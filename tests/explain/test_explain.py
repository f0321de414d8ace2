from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from k210kit.explain import LANGUAGES, causes, explain

# what users pasted, or what the sources print, for every cause; the first cause found must be this one
SAMPLES = {
    "kpu-2001": "[MAIXPY]kpu: load error:2001, ERR_PARAM",
    "kpu-2002": "ValueError: [MAIXPY]kpu: load error:2002, ERR_KMODEL_VERSION: only support kmodel V3/V4 now",
    "kpu-2003": "load_flash error:2003",
    "kpu-2004": "[MAIXPY]kpu: load error:2004, ERR_KMODEL_DECRYPT",
    "kpu-2005": "[MAIXPY]kpu: load error:2005, ERR_READ_FILE: read file fail",
    "kpu-2006": "[MAIXPY]kpu: load error:2006, ERR_NO_MEM: memory not enough",
    "kpu-2007": "ERR_GET_CONV_LAYER",
    "kpu-2008": "kpu run error:2008",
    "kpu-2009": "load error:2009, ERR_MODELS_FULL",
    "kpu-2010": "load error:2010, ERR_PERMITION",
    "kpu-2011": "get_output error:2011 ERR_IDX_OUTRANGE",
    "kpu-2012": "ERR_SIZE_NOTMATCH",
    "kpu-2013": "run error: 13",
    "kpu-2014": "ERR_NOT_IMPLEMENT",
    "kpu-2015": "ValueError: [MAIXPY]kpu: load error:2015, ERR_UNKNOWN: unknown error",
    "kpu-wrong-version": "we only support V3 now, get V1263354956",
    "kpu-type-minus-3": "kpu: load error:-3",
    "smodel": "where do I get the machine code with key_gen.bin",
    "kpu-check-img": "ValueError: check img format err!",
    "kpu-region-layer": "region_layer_init err!",
    "kpu-input": "ValueError: model_addr must > 0 ",
    "kpu-yolo-settings": "anchor_number should > 0",
    "kpu-typecode": "typecode don't support read!",
    "kpu-load-flash-arguments": "what do is_dual_buf and spi_speed mean",
    "results-differ": "works fine on the PC but the detector is wrong on the board",
    "heap-gc": "MemoryError: memory allocation failed, allocating 100352 bytes",
    "heap-frame-buffer": "MemoryError: Out of Memory! Please reduce the resolution of the image",
    "heap-enomem": "OSError: [Errno 12] ENOMEM",
    "heap-gc-too-large": "GC heap size 8388608 is too large, reset GC heap size to 128k",
    "boot-settings": "read config fail",
    "heap-firmware-size": "SYSCALL: Out of memory",
    "camera-reset": "Reset Failed",
    "camera-timeout": "RuntimeError: Sensor Timeout!!",
    "camera-eio": "OSError: [Errno 5] EIO",
    "ide": "MaixPy IDE cannot connect to the board",
    "none-result": "TypeError: 'NoneType' object isn't iterable",
    "name-missing": "NameError: name 'sensor' isn't defined",
    "call-arguments": "TypeError: f() takes 1 positional arguments but 0 were given",
    "types-mixed": "TypeError: can't convert float to int",
    "syntax": "SyntaxError: invalid syntax",
    "canmv": "ImportError: no module named 'maix'",
    "image-format": "OSError: Can't compress in place!",
    "index-range": "IndexError: list index out of range",
    "lcd-blank": "i only get a white screen after lcd.init()",
    "module-missing": "ImportError: no module named 'ws2812'",
    "attribute-missing": "AttributeError: 'Image' object has no attribute 'find_blobs'",
    "fpioa": "[Warning] function is used by 8(pin:8)",
    "file-missing": "OSError: [Errno 2] ENOENT",
    "sd-card": "OSError: [Errno 19] ENODEV",
    "i2c-timeout": "OSError: [Errno 110] ETIMEDOUT",
    "crash": "core dump: misaligned load",
    "uart-picture": "the picture over UART is broken after a while",
    "layer-unsupported": "Layer 114 is not supported",
    "nullable": "Fatal: Nullable object must have a value.",
    "kpu-ram": "Fatal: Allocator has ran out of memory",
    "toolchain-icu": "Process terminated. Couldn't find a valid ICU package installed on the system.",
    "toolchain-libraries": "bash: ./ncc: cannot execute binary file: Exec format error",
    "toolchain-tensorflow": "ERROR: No matching distribution found for tensorflow==2.3.1",
    "calibration": "Fatal: Invalid dataset, should contain one file at least",
    "dynamic-shape": "Dynamic batch is not supported here",
    "training-nan": "loss: nan - val_loss: nan",
    "training-map-0": "mAP: 0.0000",
    "training-image-size": "images size must be 224x224 only",
    "computer-memory": "OOM when allocating tensor with shape[64,112,112,64]",
    "flash-no-answer": "[ERROR] No valid Kendryte K210 found in Auto Detect, Check Your Connection",
    "flash-stub": "[ERROR] Failed to Connect to K210's Stub",
    "flash-noise": "[WARN] Data checksum error, retrying...",
    "flash-disconnected": "[ERROR] The serial port has been disconnected, please try again, use slow mode",
    "port-none": "[ERROR] No valid COM Port found in Auto Detect",
    "port-permission": "could not open port /dev/ttyUSB0: [Errno 13] Permission denied: '/dev/ttyUSB0'",
    "port-busy": "could not open port 'COM3': PermissionError(13, 'Access is denied.', None, 5)",
    "port-brltty": "usb 1-2: usbfs: interface 0 claimed by ch341 while 'brltty' sets config #1",
    "pyserial": "ModuleNotFoundError: No module named 'serial'",
    "kfpkg": "[ERROR] Can not find flash-list.json in kfpkg root dir",
    "flash-elf": "This is an ELF file and cannot be programmed to flash directly",
    "flash-address": "two models overlap in flash",
    "firmware-variant": "which firmware do I need",
    "gc-leak": "crashes after 200 frames",
    "hang": "the board hangs at kpu.load",
    "dead-docs": "the wiki link is dead",
}

# the pains of users, strongest first, in words that one would paste
PAINS = {
    "V4 model on V3 firmware": ("kpu: load error:2002", "kpu-2002"),
    "unknown version": ("load error:2015, ERR_UNKNOWN", "kpu-2015"),
    "error -3": ("load error:-3", "kpu-type-minus-3"),
    "board hangs": ("the board hangs at kpu.load", "hang"),
    "ICU": ("Couldn't find a valid ICU package", "toolchain-icu"),
    "libomp": ("error while loading shared libraries: libomp.so.5", "toolchain-libraries"),
    "pinned TensorFlow": (
        "Could not find a version that satisfies the requirement tensorflow==2.3",
        "toolchain-tensorflow",
    ),
    "no arm64": ("cannot execute binary file: Exec format error", "toolchain-libraries"),
    "wrong board profile": ("Greeting fail, check serial port", "flash-no-answer"),
    "baud too high": ("Fast mode failed, please use slow mode", "flash-stub"),
    "wrong port": ("No valid COM Port found", "port-none"),
    "port held by the IDE": ("[Errno 16] Device or resource busy: '/dev/ttyUSB0'", "port-busy"),
    "no permission": ("Permission denied: '/dev/ttyUSB0'", "port-permission"),
    "constant outputs": ("always the same output on the board", "results-differ"),
    "99 boxes": ("99 boxes on the PC", "kpu-yolo-settings"),
    "no memory": ("2006 ERR_NO_MEM", "kpu-2006"),
    "out of memory": ("MemoryError: Out of normal MicroPython Heap Memory!", "heap-gc"),
    "layer number": ("Layer 114 is not supported", "layer-unsupported"),
    "nullable": ("Nullable object must have a value", "nullable"),
    "YOLO error": ("run error: 13", "kpu-2013"),
    "allocator": ("Allocator has ran out of memory", "kpu-ram"),
    "camera": ("Reset Failed", "camera-reset"),
    "IDE": ("ide can't connect", "ide"),
    "encrypted": ("model.smodel", "smodel"),
    "flash address": ("wrong flash address", "flash-address"),
    "load_flash arguments": ("load_flash: what do the arguments mean", "kpu-load-flash-arguments"),
    "UART pictures": ("images over uart are slow", "uart-picture"),
    "calibration": ("how many calibration images", "calibration"),
    "firmware maze": ("which firmware", "firmware-variant"),
    "dead docs": ("docs are gone", "dead-docs"),
    "NaN": ("loss: nan", "training-nan"),
    "mAP 0": ("mAP: 0.0", "training-map-0"),
    "leaks": ("resize then pix_to_ai in every frame", "gc-leak"),
    "SD card": ("sd card does not mount", "sd-card"),
    "blobs": ("'Image' object has no attribute 'find_blobs'", "attribute-missing"),
}


def keys(text: str) -> list[str]:
    return [one.key for one in explain(text)]


def test_every_cause_has_a_sample() -> None:
    assert set(SAMPLES) == {one.key for one in causes()}


@pytest.mark.parametrize("key", SAMPLES)
def test_the_sample_is_explained_by_its_cause(key: str) -> None:
    assert keys(SAMPLES[key])[0] == key


@pytest.mark.parametrize("pain", PAINS)
def test_every_pain_of_users_has_its_cause_and_cure(pain: str) -> None:
    text, key = PAINS[pain]
    assert key in keys(text)


@pytest.mark.parametrize("number", range(1, 16))
def test_every_kpu_code_is_known_in_its_new_and_its_old_form(number: int) -> None:
    key = f"kpu-{2000 + number}"
    for text in (f"{2000 + number}", f"load error:{2000 + number}", f"run error: {number}", f"kpu err {number},"):
        assert keys(text) == [key]


# As people paste them: in the middle of a log, cut off, with a prompt in front, misspelt by the tool itself.
PASTED = {
    "kpu-2013": (
        'Traceback (most recent call last):\n  File "<stdin>", line 21, in <module>\nOSError: run error: 13\n'
        'MicroPython v0.5.0-29-g97fad3a on 2020-03-13; Sipeed_M1 with kendryte-k210\nType "help()" for more',
        "got this on run_yolo2: OSError: run error; 2013",
    ),
    "kpu-2002": (
        "...l: load error:2002, ERR_KMODEL_VERS",
        "Load error 2: ERR KMODEL VERSION: only supported kmodel v3/v4 now",
    ),
    "kpu-2006": ('  File "boot.py", line 30, in main\nValueError: [MAIXPY]kpu: load error:2006, ERR_NO_MEM: mem',),
    "kpu-check-img": (
        ">>> code = kpu.run_yolo2(task, x)\n[MAIXPY]kpu: pix_ai is NULL!\nTraceback (most recent call last):\n",
        "[MAIXPY]kpu: img w=320,h=240, but model w=224,h=224",
    ),
    "kpu-ram": ("Fatal: KPU allocator cannot allocate more memory.",),
    "layer-unsupported": (
        "Fatal: Layer 114 is not supported\nNnCase.Converter.Converters.LayerNotSupportedException: Layer 114 is not",
        "Fatal: Layer Pad is not supported: Only paddings of [[0,0],[1,1],[1,1],[0,0]] is supported",
    ),
    "nullable": ("Unhandled exception. System.InvalidOperationException: Nullable object must have a value.",),
    "toolchain-icu": (
        "convert kmodel fail: output:\nb''\nerror:\nb\"FailFast:\\nCouldn't find a valid ICU package inst",
    ),
    "calibration": ("  Plan buffers...\nFatal: Invalid dataset, file size should be 602112B, but got 1806336B",),
    "flash-no-answer": (
        "[INFO]Trying to Enter the ISP Mode...\n*****\n[ERROR] flash firmware fail:\n     Greeting fail, check serial",
        "[INFO] Trying to Enter the ISP Mode... \n.[ERROR] Response timeout",
        "No vaild Kendryte K210 found in Auto Detect",
        "._Warning: recv unknown op 166",
    ),
    "flash-stub": ("[INFO] Baudrate changed, greeting with ISP again ...  \n[WARN] Timeout Error, retrying...",),
    "port-busy": ("[Errno 16] could not open port /dev/ttyUSB0: [Errno 16] Device or resource busy: '/dev/ttyUSB0'",),
    "heap-enomem": (
        'Traceback (most recent call last):\n  File "boot.py", line 12, in <module>\nOSError: [Errno 12] ENO',
    ),
    "boot-settings": ("opening second core...\ngc heap=0x8020ca60-0x8020ca60(0)\nnlr_jump_fail",),
}


@pytest.mark.parametrize(("key", "text"), [(key, text) for key, texts in PASTED.items() for text in texts])
def test_what_people_paste_is_explained_by_its_cause_first(key: str, text: str) -> None:
    assert explain(text)[0].key == key


def test_colours_and_the_line_ends_of_windows_do_not_hide_a_message() -> None:
    assert keys(">>> kpu.load(0x300000)\r\n\x1b[31mkpu: load error:\x1b[1m2006\x1b[0m, ERR_NO_\r\n") == ["kpu-2006"]


def test_2013_leads_with_the_settings_of_yolo() -> None:
    (found,) = explain("2013")
    assert found.cause.en.startswith("The YOLO settings do not belong to this model: init_yolo2")


def test_every_text_is_there_in_every_language() -> None:
    for one in causes():
        for language in LANGUAGES:
            assert len(one.cause.of(language)) > 5
            assert len(one.cure.of(language)) > 5
        assert one.cause.ja != one.cause.en != one.cause.zh


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1263354956, "the bytes LDMK: a kmodel V4 or V5"),
        (4294967295, "the bytes ff ff ff ff: an empty flash"),
        (50331648, "the bytes 00 00 00 03: a kmodel V3 with swapped words"),
        (305419896, "nothing that is a model"),
        (4, "The file is a kmodel V4."),
    ],
)
def test_the_number_behind_get_v_is_read_as_bytes(number: int, says: str) -> None:
    (one,) = explain(f"we only support V3 now, get V{number}")
    assert one.detail is not None
    assert says in one.detail.en


def test_the_number_of_a_layer_is_named() -> None:
    (one,) = explain("Layer 114 is not supported")
    assert one.detail is not None
    assert one.detail.en == "TFLite operator 114 is QUANTIZE."


@pytest.mark.parametrize(
    "harmless",
    [
        "[MAIXPY] Pll0:freq:806000000\n[MAIXPY] Pll1:freq:398666666\n[MAIXPY] Flash:0xef:0x17\nfps = 24.1",
        "MicroPython v0.6.2-84-g8fcd84a58 on 2022-08-26; Sipeed_M1 with kendryte-k210",
        "photo taken 2013-05-06 12:20:06",
        "Rebooting...\n[INFO] Burn OK",
        "",
    ],
)
def test_what_is_no_error_is_not_explained(harmless: str) -> None:
    assert keys(harmless) == []


def test_several_causes_come_in_the_order_of_the_text() -> None:
    assert keys("we only support V3 now, get V4\n[MAIXPY]kpu: load error:2002") == ["kpu-wrong-version", "kpu-2002"]


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    explain(text)


@pytest.mark.parametrize("piece", ["ide connect ", "load ", "uart image ", "a", "error " * 3, "[warning] "])
def test_a_long_text_takes_no_long_time(piece: str) -> None:
    started = time.process_time()
    explain(piece * (100_000 // len(piece)))
    assert time.process_time() - started < 5.0
