"""`Maix.I2S`, `Maix.Audio`, `Maix.FFT`, `Maix.MIC_ARRAY`: silence in, nothing out, and the time that it takes.

Sources: Maix_i2s.c, py_audio.c, Maix_fft.c, Maix_mic_array.c of MaixPy 0.6.2.
"""

from __future__ import annotations

import errno
import wave
from typing import Any, ClassVar

import numpy as np

from k210kit.emulator.board import Board
from k210kit.emulator.buffers import as_bytes
from k210kit.emulator.card import os_error
from k210kit.emulator.modules.image.arguments import as_float, as_int

__all__ = ["FFT", "I2S", "MIC_ARRAY", "Audio"]


class I2S:
    """A sound port: microphones that hear nothing, loudspeakers that keep time."""

    DEVICE_0, DEVICE_1, DEVICE_2 = 0, 1, 2
    CHANNEL_0, CHANNEL_1, CHANNEL_2, CHANNEL_3 = 0, 1, 2, 3
    IGNORE_WORD_LENGTH, RESOLUTION_12_BIT, RESOLUTION_16_BIT = 0, 1, 2
    RESOLUTION_20_BIT, RESOLUTION_24_BIT, RESOLUTION_32_BIT = 3, 4, 5
    SCLK_CYCLES_16, SCLK_CYCLES_24, SCLK_CYCLES_32 = 0, 1, 2
    TRANSMITTER, RECEIVER = 0, 1
    STANDARD_MODE, RIGHT_JUSTIFYING_MODE, LEFT_JUSTIFYING_MODE = 1, 2, 4
    _board: ClassVar[Board]

    def __init__(self, id: int, *, sample_points: int = 1024, pll2: int = 0, mclk: int = 0) -> None:
        if not 0 <= as_int(id) <= 2:
            raise ValueError(f"[MAIXPY]I2S{id}:does not exist")
        self._id, self._busy_until = id, 0.0
        self.init(sample_points=sample_points, pll2=pll2, mclk=mclk)

    def init(self, *, sample_points: int = 1024, pll2: int = 0, mclk: int = 0) -> None:
        if as_int(sample_points) <= 0:
            raise ValueError("[MAIXPY]I2S:invalid buffer length")
        self._points, self._rate = sample_points, 0
        self._block = self._board.gc.allocate(4 * sample_points)

    def channel_config(
        self, channel: int = 0, mode: int = 1, *, resolution: int = 2, cycles: int = 2, align_mode: int = 1
    ) -> bool:
        if not 0 <= as_int(channel) <= 3:
            raise ValueError("[MAIXPY]I2S:invalid i2s channle")
        if not 0 <= as_int(resolution) <= 5:
            raise ValueError("[MAIXPY]I2S:invalid resolution")
        if not 0 <= as_int(cycles) <= 2:
            raise ValueError("[MAIXPY]I2S:invalid cycles")
        if as_int(align_mode) not in (1, 2, 4):
            raise ValueError("[MAIXPY]I2S:invalid align mode")
        return True

    def set_sample_rate(self, sample_rate: int) -> bool:
        if as_int(sample_rate) <= 0:
            raise ValueError("[MAIXPY]I2S:invalid sample rate")
        self._rate = sample_rate
        return True

    def record(self, points: int = 0, *, time: int = 0) -> Audio:
        """Start to record so many points, or seconds."""
        if as_int(points) > 0:
            count = points
        elif as_int(time) > 0:
            if self._rate <= 0:
                raise ValueError("[MAIXPY]I2S:please set sample rate")
            count = self._rate * time
            if count > self._points:
                raise ValueError("[MAIXPY]I2S:sampling size is out of bounds")
        else:
            raise ValueError("[MAIXPY]I2S:please input recording points or time")
        made: Audio = self._board.module("Maix").Audio(bytearray(4 * count))
        self._busy_until = self._board.clock.now + count / (self._rate or 44100)
        return made

    def __deinit__(self) -> None:
        return None

    def wait_record(self) -> None:
        self._board.clock.sleep_until(self._busy_until)

    def play(self, audio: Audio) -> None:
        """Send recorded points; returns at once."""
        self._busy_until = self._board.clock.now + len(audio._data) // 4 / (self._rate or 44100)


class Audio:
    """Sound in memory, or a wav file that is played or written block by block."""

    _board: ClassVar[Board]

    def __init__(
        self,
        array: Any = None,
        path: Any = None,
        *,
        points: int = 2048,
        is_create: bool = False,
        samplerate: int = 44100,
    ) -> None:
        """Any: a buffer; the name of a wav file."""
        self._data = b"" if array is None else as_bytes(array)
        self._volume, self._wave, self._writer = 40.0, None, None
        self._rate, self._channels, self._left = int(samplerate), 1, 0
        self._device: I2S | None = None
        if path is not None:
            self._open(str(path), is_create)

    _wave: wave.Wave_read | None
    _writer: wave.Wave_write | None

    def _open(self, path: str, create: bool) -> None:
        stream = self._board.files.open(path, "wb" if create else "rb")
        if create:
            self._writer = wave.open(stream, "wb")  # noqa: SIM115 - stays open until finish()
            self._writer.setnchannels(self._channels)
            self._writer.setsampwidth(2)
            self._writer.setframerate(self._rate)
            return
        try:
            self._wave = wave.open(stream, "rb")  # noqa: SIM115
        except (wave.Error, EOFError):
            raise os_error(errno.EIO) from None

    def to_bytes(self) -> bytearray:
        if not self._data:
            raise AttributeError("empty Audio")
        return bytearray(self._data)

    def volume(self, *arguments: float) -> float:
        if arguments:
            if not 0 <= as_float(arguments[0]) <= 100:
                raise ValueError("value:[0,100]")
            self._volume = as_float(arguments[0])
        return self._volume

    def play_process(self, dev: Any) -> Any:
        """The wav file's form: channels, bits, rate, bytes, … as the firmware lists them (Any: checked here)."""
        if not isinstance(dev, I2S):
            raise ValueError("Invaild I2S device")
        if self._wave is None:
            return None
        self._device = dev
        form = self._wave
        channels, width, rate = form.getnchannels(), form.getsampwidth(), form.getframerate()
        self._rate = rate
        return [1, channels, rate, rate * channels * width, channels * width, 8 * width]

    def play(self) -> int | None:
        """Play the next block: 1 while there is more, 0 at the end."""
        if self._wave is None or self._device is None:
            return None
        frames = self._device._points // 2
        data = self._wave.readframes(frames)
        count = len(data) // max(1, self._wave.getnchannels() * self._wave.getsampwidth())
        self._board.clock.sleep(count / self._rate)
        return 1 if count else 0

    def record_process(self, dev: Any = None, channels: int = 1) -> bool:
        """Prepare a new wav file (Any: an I2S, checked here)."""
        if not isinstance(dev, I2S):
            raise ValueError("Invaild I2S device")
        if as_int(channels) > 2:
            self._board.print("[MAIXPY]: The number of channels must be less than or equal to 2\n")
            return False
        if self._writer is not None:
            self._writer.setnchannels(channels)
            self._writer.setframerate(dev._rate or self._rate)
            self._channels = channels
        self._device = dev
        return True

    def record(self, audio: Audio) -> None:
        """Append recorded points."""
        if self._writer is not None:
            self._writer.writeframes(bytes(len(audio._data) // 2 // self._channels * self._channels))

    def __deinit__(self) -> None:
        self.finish()

    def finish(self) -> None:
        for stream in (self._wave, self._writer):
            if stream is not None:
                stream.close()
        self._wave = self._writer = None


class FFT:
    """The chip's Fourier transform, 64 to 512 points of 16 bits."""

    @staticmethod
    def run(byte: Any = None, points: int = 64, shift: int = 0, direction: int = 0) -> list[tuple[int, int]]:
        """Real and imaginary parts (Any: a buffer of 32-bit samples); rounding inside the hardware is not modelled."""
        if as_int(points) not in (64, 128, 256, 512):
            raise ValueError("[MAIXPY]FFT:invalid points")
        if byte is None:
            raise ValueError("[MAIXPY]FFT:invalid byte")
        data = as_bytes(byte)
        if len(data) % 4:
            raise ValueError("[MAIXPY]FFT:Buffer length must be a multiple of 4")
        samples = np.frombuffer(data.ljust(4 * points, b"\0")[: 4 * points], "<i4").astype(np.int16).astype(np.float64)
        made = np.fft.fft(samples) / 2 ** bin(as_int(shift)).count("1")
        parts = np.clip(np.stack([made.real, made.imag], axis=1), -32768, 32767).astype(np.int16)
        return [(int(real), int(imaginary)) for real, imaginary in parts]

    @staticmethod
    def freq(points: int = 64, sample_rate: int = 16000) -> list[int]:
        step = as_int(sample_rate) // as_int(points)
        return [step * i for i in range(points)]

    @staticmethod
    def amplitude(values: Any) -> list[int]:
        """Any: the list that `run` made, checked here."""
        if not isinstance(values, list):
            raise ValueError("[MAIXPY]FFT:obj is not a list")
        return [int(2 * int((r * r + i * i) ** 0.5) / len(values)) for r, i in values]


class MIC_ARRAY:
    """The round board of seven microphones: it hears nothing from anywhere."""

    _board: ClassVar[Board]

    @classmethod
    def init(cls, *pins: int, **named: int) -> None:
        return None

    @classmethod
    def deinit(cls) -> None:
        return None

    @classmethod
    def get_map(cls) -> Any:
        """A 16x16 grayscale picture (Any: the script's Image)."""
        cls._board.clock.sleep(0.04)
        return cls._board.module("image").from_bytes_plane(np.zeros((16, 16), np.uint8))

    @classmethod
    def get_dir(cls, picture: Any) -> tuple[int, ...]:
        """Loudness in twelve directions (Any: the map)."""
        return (0,) * 12

    @classmethod
    def set_led(cls, direction: Any, color: Any) -> None:
        """Any: tuples of the script's."""
