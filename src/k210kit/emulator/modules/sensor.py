"""`sensor`: the camera. Sources: omv/py/py_sensor.c, omv/sensor.c, omv/ov7740.c of MaixPy 0.6.2.

Its time: in single-buffer mode a snapshot starts with the next frame and ends with that frame, so a loop takes whole
frames; with `dual_buff` the frame of the meantime waits already.
"""

from __future__ import annotations

import errno
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from k210kit import timing
from k210kit.emulator import costs
from k210kit.emulator.board import Board, Picture
from k210kit.emulator.card import os_error
from k210kit.emulator.modules.image.arguments import as_array, as_int, require
from k210kit.emulator.modules.image.pixels import frame_from_rgb
from k210kit.emulator.modules.table import device_module
from k210kit.emulator.system_memory import SystemBlock

__all__ = ["GRAYSCALE", "JPEG", "RGB565", "SIZES", "SensorModule"]

BAYER, RGB565, YUV422, GRAYSCALE, JPEG = 1, 2, 3, 4, 5
_TIMEOUT_SECONDS = 0.300
_OV7740 = 0x7742

# name, width, height; the number of a size is its place, counted from 1 (omv/sensor.h, omv/sensor.c)
SIZES: tuple[tuple[str, int, int], ...] = (
    ("QQCIF", 88, 72), ("QCIF", 176, 144), ("CIF", 352, 288), ("QQSIF", 88, 60), ("QSIF", 176, 120),
    ("SIF", 352, 240), ("QQQQVGA", 40, 30), ("QQQVGA", 80, 60), ("QQVGA", 160, 120), ("QVGA", 320, 240),
    ("VGA", 640, 480), ("HQQQVGA", 60, 40), ("HQQVGA", 120, 80), ("HQVGA", 240, 160), ("B64X32", 64, 32),
    ("B64X64", 64, 64), ("B128X64", 128, 64), ("B128X128", 128, 128), ("B240X240", 240, 240), ("LCD", 128, 160),
    ("QQVGA2", 128, 160), ("WVGA", 720, 480), ("WVGA2", 752, 480), ("SVGA", 800, 600), ("SXGA", 1280, 1024),
    ("UXGA", 1600, 1200),
)  # fmt: skip


@dataclass
class _State:
    """What `sensor.reset()` sets back."""

    frequency: int = 0
    dual_buffer: bool = False
    is_reset: bool = False
    size_is_set: bool = False
    pixel_format: int = 0
    size: int = 0
    mirror: bool = False
    flip: bool = False
    color_bars: bool = False
    running: bool = True
    slowdown: float = 1.0
    window: tuple[int, int, int, int] = (0, 0, 0, 0)  # x, y, w, h
    buffers: list[SystemBlock] = field(default_factory=list)


@dataclass
class _Scaled:
    """The newest source picture as the sensor would send it, kept while the source gives the same."""

    source: NDArray[np.uint8] | None = None
    settings: tuple[Any, ...] = ()
    pixels: NDArray[Any] | None = None
    planes: NDArray[np.uint8] | None = None


@device_module("sensor")
class SensorModule:
    """The module."""

    BAYER, RGB565, YUV422, GRAYSCALE, JPEG = BAYER, RGB565, YUV422, GRAYSCALE, JPEG
    OV9650, OV2640, OV7725, MT9V034, LEPTON = 0x96, 0x2642, 0x77, 0x13, 0x54
    NORMAL, NEGATIVE = 0, 1
    PRIVATE_NAMES: ClassVar = {"__write_reg": "write_register", "__read_reg": "read_register"}

    def __init__(self, board: Board) -> None:
        self._board = board
        self._state = _State()
        self._scaled = _Scaled()
        self._registers: dict[int, int] = {}
        self._controls: dict[str, float] = {"gain_db": 12.0, "exposure_us": 33000}
        self._pixels: list[NDArray[Any]] = []
        self._planes: list[NDArray[np.uint8]] = []
        self._next_buffer = 0
        self._last_frame_end = -math.inf

    # set-up -----------------------------------------------------------------------------------------------------
    def reset(
        self,
        *_ignored: object,
        freq: int | None = None,
        set_regs: bool = True,
        dual_buff: bool = False,
        choice: int = 0,
        **_unknown: object,
    ) -> None:
        """Find and reset the camera; its buffers are freed."""
        self._free_buffers()
        dual = bool(dual_buff) and self._board.has("double_buffer")
        size_was_set = self._state.size_is_set
        built_in = self._board.firmware.sensor_hz or 24_000_000
        self._state = _State(frequency=built_in if freq is None else as_int(freq), dual_buffer=dual)
        if as_int(choice) not in (0, 1):
            self._board.print("[MAIXPY]: no sensor\n")
            raise OSError("Reset Failed")
        self._board.print("[MAIXPY]: find ov sensor\n")
        self._board.clock.advance(costs.SENSOR_RESET_SECONDS)
        self._state.is_reset = True
        self._state.size_is_set = size_was_set

    def binocular_reset(self, *_ignored: object, freq: int | None = None, **_unknown: object) -> None:
        """There is one camera here, so the search for two fails as on a board with one."""
        raise OSError("Reset Failed")

    def deinit(self) -> None:
        self._free_buffers()
        self._state = _State()

    def sleep(self, enable: object) -> None:
        self._state.running = not enable

    def shutdown(self, enable: object) -> None:
        self._state.running = not enable

    def run(self, value: int) -> bool:
        self._state.running = bool(as_int(value))
        return True

    def set_pixformat(self, *arguments: int, set_regs: bool = True, **_unknown: object) -> bool:
        if len(arguments) != 1:
            raise ValueError("arg err")
        wanted = as_int(arguments[0])
        require(wanted in (RGB565, YUV422, GRAYSCALE), "Pixel format is not supported!")
        self._state.pixel_format = wanted
        return True

    def set_framesize(self, *arguments: int, set_regs: bool = True, **_unknown: object) -> None:
        if len(arguments) != 1:
            raise ValueError("arg err")
        number = as_int(arguments[0])
        self._state.size_is_set = False
        if not 1 <= number <= len(SIZES):
            raise os_error(errno.EIO)
        _, width, height = SIZES[number - 1]
        if width > 640 or height > 480:
            raise os_error(errno.EIO)
        old = self._state.window[2:]
        self._state.size, self._state.window = number, (0, 0, width, height)
        if old != (width, height):
            self._allocate(width, height)
        self._state.running = True
        self._state.size_is_set = True

    def _allocate(self, width: int, height: int) -> None:
        """malloc the pixels and the KPU's planes, once or twice; ENOMEM gives all back."""
        self._free_buffers(keep_window=True)
        for _ in range(2 if self._state.dual_buffer else 1):
            for size in (-(-width * height * 2 // 128) * 128, -(-width * height * 3 // 64) * 64):
                block = self._board.heap.allocate(size, "camera buffers")
                if block is None:
                    self._free_buffers(keep_window=True)
                    raise os_error(errno.ENOMEM)
                self._state.buffers.append(block)

    def _free_buffers(self, *, keep_window: bool = False) -> None:
        for block in self._state.buffers:
            block.free()
        self._state.buffers = []
        self._pixels, self._planes = [], []
        if not keep_window:
            self._state.window = (0, 0, 0, 0)

    def set_windowing(self, roi: Any) -> bool:
        """Any: a tuple or list of the script's; (w, h) is centred."""
        parts = [as_int(part) for part in as_array(roi)]
        _, width, height = SIZES[self._state.size - 1] if self._state.size else ("", 0, 0)
        if len(parts) == 4:
            x, y, w, h = parts
        elif len(parts) == 2:
            w, h = parts
            x, y = width // 2 - w // 2, height // 2 - h // 2
        else:
            raise ValueError("The tuple/list must either be (x, y, w, h) or (w, h)")
        if w < 8 or h < 8:
            raise ValueError("The selected window is too small")
        if x < 0 or x + w > width or y < 0 or y + h > height:
            raise ValueError("The selected window is outside the bounds of the frame")
        if w % 8 or h % 8:
            raise ValueError("value must be multiple of 8")
        self._state.window = (x, y, w, h)
        self._pixels, self._planes = [], []
        return True

    def set_hmirror(self, enable: object) -> None:
        self._state.mirror = bool(enable)

    def set_vflip(self, enable: object) -> None:
        self._state.flip = bool(enable)

    def set_framerate(self, framerate: int) -> None:
        rate = as_int(framerate)
        if rate not in (2, 8, 15, 25, 30, 60):
            raise ValueError("Invalid framerate")
        if rate in (2, 8):
            raise ValueError("Fail")
        self._state.slowdown = 60 / rate

    # pictures ---------------------------------------------------------------------------------------------------
    def snapshot(self, *_ignored: object, update_jb: bool = True, **_unknown: object) -> Picture:
        """The next picture; every call hands out the same memory."""
        self._check_frames_left()
        if not self._state.is_reset:
            raise TypeError("not found sensor")
        if not self._state.size_is_set:
            raise RuntimeError("Not init!")
        picture = self._capture("Sensor timeout!")
        self._count_frame()
        return picture

    def skip_frames(self, *arguments: int, time: int | None = None, **_unknown: object) -> None:
        """Throw frames away: so many, or for 300 ms."""
        limit = 300 if time is None else as_int(time)
        began = self._board.clock.now
        count = as_int(arguments[0]) if arguments else 1 << 30
        for _ in range(count):
            if (not arguments or time is not None) and (self._board.clock.now - began) * 1000 >= limit:
                break
            if not (self._state.is_reset and self._state.size_is_set):
                return
            self._wait_for_frame("Sensor Timeout!!")

    def flush(self) -> None:
        self._last_frame_end = -math.inf

    def get_fb(self) -> Picture | None:
        if not self._pixels:
            return None
        return self._wrap(0)

    def _capture(self, words: str) -> Picture:
        self._wait_for_frame(words)
        self._read_out()
        number = self._next_buffer if self._state.dual_buffer else 0
        self._next_buffer = 1 - self._next_buffer
        self._fill(number)
        return self._wrap(number)

    def _wait_for_frame(self, words: str) -> None:
        """Let board time pass until the frame is there."""
        clock = self._board.clock
        frame = timing.camera_frame_seconds(self._state.frequency) * self._state.slowdown
        if not self._state.running or 3 * frame > _TIMEOUT_SECONDS:
            clock.sleep(_TIMEOUT_SECONDS)
            raise RuntimeError(words)
        if self._state.dual_buffer:
            end = max(self._last_frame_end + frame, math.floor(clock.now / frame) * frame)
        else:
            end = costs.camera_frame_end(clock.now, frame)
        self._last_frame_end = end
        clock.advance(max(0.0, end - clock.now))

    def _read_out(self) -> None:
        _, _, width, height = self._state.window
        self._board.clock.advance(costs.snapshot_seconds(width * height))

    def _fill(self, number: int) -> None:
        """Put the newest picture into the buffer, in place."""
        pixels, planes = self._picture()
        while len(self._pixels) <= number:
            self._pixels.append(np.empty_like(pixels))
            self._planes.append(np.empty_like(planes))
        self._pixels[number][...] = pixels
        self._planes[number][...] = planes

    def _wrap(self, number: int) -> Picture:
        maker = self._board.module("image")
        planes = self._planes[number]
        if self._state.pixel_format == GRAYSCALE:
            made: Picture = maker.from_camera(planes[0], planes[:1], GRAYSCALE)
        else:
            made = maker.from_camera(self._pixels[number], planes, RGB565)
        return made

    def _picture(self) -> tuple[NDArray[Any], NDArray[np.uint8]]:
        """Pixels and KPU planes of the window, from the source's newest picture."""
        with self._board.trusted():
            source = self._board.camera.frame(self._board.clock.now)
        if source is None:
            self._board.clock.stop("the camera's source has ended")
            self._board.clock.check()
        assert source is not None
        state, kept = self._state, self._scaled
        settings = (state.size, state.window, state.mirror, state.flip, state.color_bars, state.pixel_format)
        if source is not kept.source or settings != kept.settings or kept.pixels is None or kept.planes is None:
            rgb = self._seen(source)
            kept.pixels, kept.planes = _gray_frame(rgb) if state.pixel_format == GRAYSCALE else frame_from_rgb(rgb)
            kept.source, kept.settings = source, settings
        return kept.pixels, kept.planes

    def _seen(self, source: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The window's RGB [h, w, 3]: the source cut to the frame's shape and scaled, then mirrored, then windowed."""
        _, width, height = SIZES[self._state.size - 1]
        frame = _scaled_to_fill(source, width, height)
        if self._state.mirror:
            frame = frame[:, ::-1]
        if self._state.flip:
            frame = frame[::-1]
        x, y, w, h = self._state.window
        return np.ascontiguousarray(frame[y : y + h, x : x + w])

    def _check_frames_left(self) -> None:
        limit = self._board.frame_limit
        if limit is not None and self._board.counters.frames >= limit:
            self._board.clock.stop("frames")
        self._board.clock.check()

    def _count_frame(self) -> None:
        counters = self._board.counters
        counters.frames += 1
        counters.screens_since_frame = 0
        counters.last_picture = self._board.clock.now
        counters.frame_times.append(self._board.clock.now)
        counters.allocated_bytes_per_frame.append(self._board.gc.allocated_bytes)
        if self._board.gc.ledger.wants_a_look(counters.frames):
            self._board.gc.note(counters.frames)

    # what the camera says -----------------------------------------------------------------------------------------
    def width(self) -> int:
        return SIZES[self._state.size - 1][1] if self._state.size else 0

    def height(self) -> int:
        return SIZES[self._state.size - 1][2] if self._state.size else 0

    def get_id(self) -> int:
        return _OV7740

    def set_contrast(self, contrast: int) -> bool:
        return self._level("contrast", contrast, 4)

    def set_brightness(self, brightness: int) -> bool:
        return self._level("brightness", brightness, 4)

    def set_saturation(self, saturation: int) -> bool:
        return self._level("saturation", saturation, 4)

    def _level(self, name: str, value: int, most: int) -> bool:
        if not -most <= as_int(value) <= most:
            return False
        self._controls[name] = value
        return True

    def set_gainceiling(self, gainceiling: int) -> bool:
        if as_int(gainceiling) not in (2, 4, 8, 16, 32, 64, 128):
            raise ValueError("Invalid gainceiling")
        return True

    def set_colorbar(self, enable: object) -> bool:
        self._state.color_bars = bool(enable)
        return True

    def set_auto_gain(
        self, enable: int, gain_db: float = math.nan, gain_db_ceiling: float = math.nan, **_: object
    ) -> None:
        if not math.isnan(gain_db):
            self._controls["gain_db"] = float(gain_db)

    def get_gain_db(self) -> float:
        return self._controls["gain_db"]

    def set_auto_exposure(self, enable: int, exposure_us: int = -1, **_: object) -> None:
        if exposure_us >= 0:
            self._controls["exposure_us"] = int(exposure_us)

    def get_exposure_us(self) -> int:
        return int(self._controls["exposure_us"])

    def set_auto_whitebal(self, enable: int, rgb_gain_db: Any = None, **_: object) -> None:
        """Any: a tuple of three numbers."""

    def get_rgb_gain_db(self) -> tuple[float, float, float]:
        return (0.0, 0.0, 0.0)

    def set_special_effect(self, effect: int) -> bool:
        return as_int(effect) in (0, 1)

    def set_lens_correction(self, enable: object, radius: int, coefficient: int) -> bool:
        return False

    def set_jb_quality(self, quality: int) -> None:
        if not isinstance(quality, int):
            raise ValueError("must be int")

    def write_register(self, address: int, value: int) -> None:
        self._registers[as_int(address)] = as_int(value) & 0xFF

    def read_register(self, address: int) -> int:
        return self._registers.get(as_int(address), 0)


for _number, (_name, _, _) in enumerate(SIZES, 1):
    setattr(SensorModule, _name, _number)


def _gray_frame(rgb: NDArray[np.uint8]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The Y plane as pixels and as the KPU's one plane; JPEG's weights, as the camera's own converter has them."""
    gray = (rgb.astype(np.uint32) @ np.array([77, 150, 29], np.uint32) + 128 >> 8).astype(np.uint8)
    return gray, gray[None]


def _scaled_to_fill(source: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The middle of the picture that has the frame's proportions, scaled to it."""
    if source.shape[:2] == (height, width):
        return source
    from PIL import Image

    high, wide, _ = source.shape
    scale = min(wide / width, high / height)
    box_w, box_h = width * scale, height * scale
    left, top = (wide - box_w) / 2, (high - box_h) / 2
    made = Image.fromarray(source).resize(
        (width, height), Image.Resampling.BILINEAR, box=(left, top, left + box_w, top + box_h), reducing_gap=3.0
    )
    return np.asarray(made)
