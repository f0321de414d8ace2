"""What a MaixPy .bin really is: told from its strings, its start-up code and its constants, never from its name.

The rules were tried on 57 public images of MaixPy (2019-01 to v0.6.2-85, ten variants), on CanMV, LoBo's MicroPython,
krux, and 40 other programs. What a rule cannot decide is reported as unknown rather than guessed.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from k210kit.errors import FormatError
from k210kit.firmware.catalogue import GC_HEAP_BYTES, KPU_HZ, Firmware, catalogue
from k210kit.firmware.heap import chunk_size
from k210kit.firmware.options import option
from k210kit.firmware.sizes import STACKS_BYTES
from k210kit.hardware import (
    GENERAL_MEMORY_BYTES,
    GENERAL_MEMORY_END,
    GENERAL_MEMORY_START,
    PROGRAM_MARK,
    PROGRAM_MARK_AT,
    PROGRAM_MARK_PLACES,
)

__all__ = ["FirmwareImage", "is_program", "named_otherwise", "read_image"]

_ALIGN_HEAP = bytes.fromhex("137202fc")  # andi tp, tp, -64
_AUIPC_TP, _AUIPC_MASK = 0x217, 0xFFF
_ADDI_TP, _ADDI_MASK = 0x20213, 0xFFFFF
_MACHINE = re.compile(rb" with [Kk]endryte[- ][Kk]210\0")  # what os.uname() gives, and behind it version, date, release
_UNAME = re.compile(rb"\0*([!-~]{3,60}) on (\d{4}-\d\d-\d\d)\0+([0-9][0-9.]{0,14})?")
_BANNER = re.compile(rb"MicroPython ([!-~]{3,60})(?: on (\d{4}-\d\d-\d\d))?(?:; ([ -~]{3,60}))?")
_NUMBERED = re.compile(r"v?\d+\.\d+")
_LONGEST_MACHINE = 40
_MAIXPY_MACHINES = ("Sipeed_M1", "M5Stick")
_NES_BSS = 700_000
_SENSOR_HITS = 4  # places at which SENSOR_FREQ is loaded
_SENSOR_MHZ = range(4, 31)
_IMMEDIATE_REACH = 24  # bytes between the two halves of a constant
_CALL_REACH = 40
_BYTE_OF_A1 = 0x0FF5F593  # andi a1, a1, 255
_UNCERTAINTY = 2_048

# feature: text that only builds with it hold
_MARKS: dict[str, bytes] = {
    "ide": b"IDE interrupt",  # compiled under CONFIG_MAIXPY_IDE_SUPPORT alone
    "thread": b"_thread",
    "ws2812": b"ws2812",
    "find_blobs": b"find_blobs",
    "kmodel_v4": b"only support kmodel V3/V4 now",
    "ulab": b"ulab",
    "lvgl": b"lvgl",
    "video": b"video",
    "mic_array": b"MIC_ARRAY",
    "touch": b"touchscreen",
    "wiznet": b"WIZNET5K",
    "speech": b"speech_recognizer",
    "pye": b"pye",
    "fpioa_manager": b"fpioa_manager",
    "board": b"board_info",
}


@dataclass(frozen=True, kw_only=True)
class FirmwareImage:
    """One program; features map to True, False, or None where the image does not tell."""

    size: int
    is_maixpy: bool
    system: str  # "MaixPy", "CanMV", "MicroPython" for any other, "" where no text tells
    machine: str
    version: str
    release: str
    date: str
    board: str
    variant: str
    variant_exact: bool
    features: dict[str, bool | None]
    kmodel_versions: tuple[int, ...]
    heap_start: int | None
    ram_bytes: int | None
    pre_gc_bytes: int
    free_after_gc_bytes: int | None
    sensor_hz: int | None
    gc_fallback: bool
    self_calls: tuple[int, ...]
    unknown: tuple[str, ...]
    warnings: tuple[str, ...]

    def firmware(self, name: str) -> Firmware:
        """The image as a row of the catalogue; `FormatError` if it does not tell where its heap begins."""
        if self.heap_start is None:
            raise FormatError(
                "the start-up code does not tell where the heap begins", field=name, found="no andi tp, tp, -64",
                expected="a program made with MaixPy's linker script",
            )  # fmt: skip
        known = {row.name: row for row in catalogue()}.get(self.variant)
        return Firmware(
            name=name,
            title=f"MaixPy {self.version}, like {self.variant}" if self.variant else f"MaixPy {self.version}",
            version=self.version,
            heap_start=self.heap_start,
            pre_gc_bytes=self.pre_gc_bytes,
            image_bytes=self.size,
            ram_bytes=self.ram_bytes,
            sensor_hz=self.sensor_hz,
            kpu_hz=KPU_HZ,
            board=self.board,
            lcd_width=known.lcd_width if known else 320,
            lcd_height=known.lcd_height if known else 240,
            lcd_hz=known.lcd_hz if known else 15_000_000,
            features=frozenset(word for word, there in self.features.items() if there or there is None),
            kmodel_versions=self.kmodel_versions or (3,),
            memory_source="read from the image's start-up code",
            memory_uncertainty_bytes=_UNCERTAINTY,
        )


def is_program(data: bytes) -> bool:
    """Whether `data` begins as every program made with Kendryte's SDK does."""
    return any(data.startswith(PROGRAM_MARK, place) for place in PROGRAM_MARK_PLACES)


def named_otherwise(version: str, file_name: str) -> str:
    """A warning if the version in a file's name is not the one inside; "" if they agree or the name has none."""
    named = re.search(r"(\d+)[._](\d+)[._](\d+)", file_name)
    inside = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    if named and inside and named.groups() != inside.groups():
        return f"The file is named {'.'.join(named.groups())}, but it holds {version}."
    return ""


def read_image(data: bytes) -> FirmwareImage:
    """Take a .bin apart; `FormatError` if it is no program made with Kendryte's SDK."""
    if not is_program(data):
        raise FormatError(
            "no K210 program", field="start", offset=PROGRAM_MARK_AT,
            found=data[PROGRAM_MARK_AT : PROGRAM_MARK_AT + len(PROGRAM_MARK)].hex(" ") or "nothing",
            expected="ef be ad de behind the first jump, as in a .bin that is flashed to address 0",
        )  # fmt: skip
    if len(data) > GENERAL_MEMORY_BYTES:
        raise FormatError(
            "the program is larger than the memory it runs in", field="size", found=f"{len(data):,} bytes",
            expected="at most 6 MiB",
        )  # fmt: skip
    name = _name(data)
    maixpy = name.system == "MaixPy"
    heap_start = _heap_start(data)
    ram = None if heap_start is None else heap_start - GENERAL_MEMORY_START - STACKS_BYTES
    features = _features(data, ram) if maixpy else {}
    before_gc = _pre_gc(features)
    variant, exact = _variant(features, heap_start, _board(data))
    sensor = _sensor_hz(data) if maixpy else None
    calls = _self_calls(data)
    return FirmwareImage(
        size=len(data),
        is_maixpy=maixpy,
        system=name.system,
        machine=name.machine,
        version=name.version,
        release=name.release,
        date=name.date,
        board=_board(data),
        variant=variant,
        variant_exact=exact,
        features=features,
        kmodel_versions=_kmodel_versions(data),
        heap_start=heap_start,
        ram_bytes=ram,
        pre_gc_bytes=before_gc,
        free_after_gc_bytes=_free(heap_start, before_gc) if maixpy else None,
        sensor_hz=sensor,
        gc_fallback=b"reset GC heap size" in data,
        self_calls=calls,
        unknown=tuple(_unknown(name.system, heap_start, sensor, features, _kmodel_versions(data))),
        warnings=tuple(_warnings(calls, ram, len(data))),
    )


@dataclass(frozen=True)
class _Name:
    """What a program calls itself."""

    system: str = ""
    machine: str = ""
    version: str = ""
    release: str = ""
    date: str = ""


def _name(data: bytes) -> _Name:
    """From the texts of os.uname(), or else from the greeting; a version that is a bare commit gets its release."""
    found = _MACHINE.search(data)
    if found and (uname := _UNAME.match(data, found.end())):
        start = data.rfind(b"\0", max(0, found.start() - _LONGEST_MACHINE), found.start()) + 1
        machine = data[max(start, found.start() - _LONGEST_MACHINE) : found.end() - 1].decode("ascii", "replace")
        version, date, release = (part.decode() if part else "" for part in uname.groups())
    elif banner := _BANNER.search(data):
        version, date, machine = (part.decode() if part else "" for part in banner.groups())
        release = ""
    else:
        return _Name()
    if release and not _NUMBERED.match(version):
        version = f"v{release} ({version})"
    return _Name(_system(data, machine), machine, version, release, date)


def _system(data: bytes, machine: str) -> str:
    if machine.startswith("CanMV"):
        return "CanMV"
    return "MaixPy" if machine.startswith(_MAIXPY_MACHINES) or b"[MAIXPY]" in data else "MicroPython"


def _heap_start(data: bytes) -> int | None:
    """`_heap_start`, from the instructions that put the thread pointer behind `_end`; None if they are not there."""
    place = data.find(_ALIGN_HEAP)
    if place < 8:
        return None
    auipc, addi = struct.unpack_from("<II", data, place - 8)
    if auipc & _AUIPC_MASK != _AUIPC_TP or addi & _ADDI_MASK != _ADDI_TP:
        return None
    upper, lower = _signed(auipc >> 12, 20), _signed(addi >> 20, 12)
    end = (GENERAL_MEMORY_START + place - 8 + (upper << 12) + lower) & ~63
    start = end + STACKS_BYTES
    return start if GENERAL_MEMORY_START + STACKS_BYTES < start < GENERAL_MEMORY_END else None


def _signed(value: int, bits: int) -> int:
    return value - (1 << bits) if value >> (bits - 1) & 1 else value


def _features(data: bytes, ram: int | None) -> dict[str, bool | None]:
    found: dict[str, bool | None] = {word: mark in data for word, mark in _MARKS.items()}
    found["nes"] = None if ram is None else ram - len(data) - _speech_bss(found) > _NES_BSS
    found["double_buffer"] = None  # its texts are in every image
    return dict(sorted(found.items()))


def _speech_bss(features: dict[str, bool | None]) -> int:
    """What the speech recogniser takes of the variables: as much as the NES emulator, for which it must not pass."""
    speech = option("MAIXPY_SPEECH_RECOGNIZER_ENABLE")
    assert speech is not None
    return speech.cost.bss * bool(features.get("speech"))


def _pre_gc(features: dict[str, bool | None]) -> int:
    threads, v4 = option("FREERTOS_ENABLE"), option("MICROPYTHON_KMODEL_V4_SUPPORT")
    assert threads is not None
    assert v4 is not None
    return threads.cost.heap * bool(features.get("thread")) + v4.cost.heap * bool(features.get("kmodel_v4"))


def _board(data: bytes) -> str:
    return "M5STICK" if b"M5StickV by M5Stack" in data else "MAIX"


def _kmodel_versions(data: bytes) -> tuple[int, ...]:
    if _MARKS["kmodel_v4"] in data:
        return (3, 4)
    return (3,) if b"only support kmodel V3" in data else ()


def _variant(features: dict[str, bool | None], heap_start: int | None, board: str) -> tuple[str, bool]:
    """The build of the catalogue that agrees in most features, and whether it agrees in all that are known."""
    if not features:
        return "", False
    boards = (board,) if board == "M5STICK" else ("MAIX", "TWATCH")  # no text tells a T-Watch from a Maix board
    rows = [row for row in catalogue() if row.board in boards]

    def differing(row: Firmware) -> int:
        return sum((word in row.features) != there for word, there in features.items() if there is not None)

    def distance(row: Firmware) -> tuple[int, int]:
        return differing(row), abs(row.heap_start - (heap_start or row.heap_start))

    best = min(rows, key=distance)
    return best.name, differing(best) == 0


def _free(heap_start: int | None, before_gc: int) -> int | None:
    if heap_start is None:
        return None
    left = GENERAL_MEMORY_END - heap_start - before_gc - chunk_size(GC_HEAP_BYTES)
    return max(0, left)


def _halfwords(data: bytes) -> NDArray[np.uint32]:
    """Every 32-bit word that begins at an even offset; RISC-V code may hold an instruction at each."""
    half = np.frombuffer(data[: len(data) // 2 * 2], "<u2").astype(np.uint32)
    return half[:-1] | (half[1:] << np.uint32(16))


def _sensor_hz(data: bytes) -> int | None:
    """SENSOR_FREQ: the one whole number of megahertz that is loaded as a constant at exactly four places."""
    words = _halfwords(data)
    hits: Counter[int] = Counter()
    for place in np.nonzero((words & 0x7F) == 0x37)[0]:  # lui
        value = _constant(words, int(place))
        if value is not None and value % 1_000_000 == 0:
            hits[value // 1_000_000] += 1
    fitting = [mhz for mhz in _SENSOR_MHZ if hits[mhz] == _SENSOR_HITS]
    return fitting[0] * 1_000_000 if len(fitting) == 1 else None


def _constant(words: NDArray[np.uint32], place: int) -> int | None:
    """The constant that `lui` at `place` and the next `addi` or `addiw` of its register make."""
    lui = int(words[place])
    register, upper = lui >> 7 & 31, lui >> 12
    if not 0x3D0 <= upper <= 0x1C9D:  # 4 to 30 MHz
        return None
    for word in words[place + 2 : place + 1 + _IMMEDIATE_REACH // 2].tolist():
        if word & 0x707F in (0x13, 0x1B) and word >> 7 & 31 == register == word >> 15 & 31:
            return (upper << 12) + _signed(word >> 20, 12)
    return None


def _self_calls(data: bytes) -> tuple[int, ...]:
    """Addresses of short functions that do nothing but call themselves, as a miscompiled strlen or memset does.

    A function that saves its return address (`addi sp, sp, -16; sd ra, 8(sp)`) and, before any branch or return, calls
    its own first instruction can never end. A memset may test its count before that; then nothing but the conversion
    of the byte may lie between, so that the count stays what it was.
    """
    half = np.frombuffer(data[: len(data) // 2 * 2], "<u2")
    starts = np.nonzero((half[:-1] == 0x1141) & (half[1:] == 0xE406))[0]
    return tuple(GENERAL_MEMORY_START + 2 * int(at) for at in starts if _calls_itself(half, int(at)))


def _calls_itself(half: NDArray[np.uint16], start: int) -> bool:
    place, arguments_kept = start + 2, True
    while place < min(start + _CALL_REACH // 2, len(half) - 1):
        word = int(half[place])
        if word & 3 != 3:
            if word & 0xE003 in (0xA001, 0xC001, 0xE001) or word & 0xE07F == 0x8002:
                return False  # c.j, c.beqz, c.bnez, c.jr, c.jalr
            place, arguments_kept = place + 1, False
            continue
        full = word | int(half[place + 1]) << 16
        if full & 0xFFF == 0xEF:  # jal ra
            back = 2 * (place - start) + _jump(full)  # from the prologue to the target
            return back == 0 or (arguments_kept and back == -2 and int(half[start - 1]) & 0xE003 == 0xC001)
        if full & 0x7F in (0x6F, 0x63, 0x67):  # jal elsewhere, branches, jalr
            return False
        place, arguments_kept = place + 2, arguments_kept and full == _BYTE_OF_A1
    return False


def _jump(word: int) -> int:
    """Byte offset of a `jal`."""
    offset = (word >> 21 & 0x3FF) << 1 | (word >> 20 & 1) << 11 | (word >> 12 & 0xFF) << 12 | (word >> 31) << 20
    return _signed(offset, 21)


def _unknown(
    system: str, heap_start: int | None, sensor: int | None, features: dict[str, bool | None], kmodels: tuple[int, ...]
) -> list[str]:
    if not system:
        return ["It has no MicroPython version text: a K210 program, but not MaixPy. Its features are unknown."]
    if system != "MaixPy":
        return [f"It is {system}, but not MaixPy: its features, its free memory and what kmodels it loads are unknown."]
    found = [f"Whether it has {word} is not told by the image." for word, there in features.items() if there is None]
    if not kmodels:
        found.append("Which kmodels it loads is not told: it has no text about a version that it refuses.")
    if heap_start is None:
        found.append("Its start-up code is not MaixPy's usual one: where the heap begins is unknown.")
    if sensor is None:
        found.append("The camera clock cannot be told: no frequency is loaded at exactly four places.")
    return found


def _warnings(calls: tuple[int, ...], ram: int | None, size: int) -> list[str]:
    found = []
    if calls:
        places = ", ".join(f"{address:#x}" for address in calls)
        found.append(
            f"A function at {places} only calls itself: a miscompiled strlen or memset. This build will hang; "
            "use the vendor's compiler 8.2.0, or add -fno-builtin and -fno-tree-loop-distribute-patterns."
        )
    if ram is not None and ram < size:
        found.append(f"The start-up code claims {ram:,} bytes of memory, less than the file's {size:,}.")
    return found
