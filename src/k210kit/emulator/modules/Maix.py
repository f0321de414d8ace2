"""`Maix`: pins, sound, clocks, memory. Sources: port/src/Maix of MaixPy 0.6.2."""

from __future__ import annotations

import errno
import json
from typing import Any

from k210kit import timing
from k210kit.emulator.board import Board
from k210kit.emulator.card import os_error
from k210kit.emulator.modules.bound import bound
from k210kit.emulator.modules.image.arguments import as_int
from k210kit.emulator.modules.maix_pins import FPIOA, GPIO
from k210kit.emulator.modules.maix_sound import FFT, I2S, MIC_ARRAY, Audio
from k210kit.emulator.modules.table import device_module

__all__ = ["MaixModule"]

_LOWEST_MHZ, _HIGHEST_MHZ = 26, 600


class _Freq:
    """`Maix.freq`: the clocks in MHz."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def get(self) -> tuple[int, int]:
        return self.get_cpu(), self.get_kpu()

    def get_cpu(self) -> int:
        return int(timing.cpu_hz_granted(self._board.firmware.cpu_hz) / 1e6)

    def get_kpu(self) -> int:
        return int(self._board.firmware.kpu_hz / 1e6)

    def set(self, cpu: int = 0, pll1: int = 0, kpu_div: int = 0) -> None:
        """Write freq.conf and reboot, which ends the run; or say that nothing changes."""
        wanted_cpu = as_int(cpu) or 400
        wanted_kpu = (as_int(pll1) or 400) / (as_int(kpu_div) or 1)
        if not _LOWEST_MHZ <= wanted_kpu <= _HIGHEST_MHZ:
            raise OSError("Unsupported KPU frequency!")
        if not _LOWEST_MHZ <= wanted_cpu <= _HIGHEST_MHZ:
            raise OSError("Unsupported CPU frequency!")
        if wanted_cpu == 400 and wanted_kpu == 400:
            self._board.print("No change\n")
            return
        self._board.warn(
            f"Maix.freq.set asked for {wanted_cpu} MHz and a KPU at {wanted_kpu:.0f} MHz; on a board that holds after "
            "the reboot. The emulator keeps its clocks, and goes on."
        )


class _Utils:
    """`Maix.utils`: memory."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def gc_heap_size(self, *arguments: int) -> int | None:
        """Bytes of the GC heap, or set them for the next start."""
        if not arguments:
            return self._board.gc.size
        if len(arguments) > 1:
            raise os_error(errno.EINVAL)
        if as_int(arguments[0]) != self._board.gc.size:
            self._board.warn(
                f"Maix.utils.gc_heap_size({arguments[0]}) holds after a reboot. Start the run with --gc-heap "
                f"{arguments[0]} to see what it does."
            )
        return None

    def heap_free(self) -> int:
        return self._board.heap.free_bytes

    def flash_read(self, address: int, length: int) -> bytes:
        count = as_int(length)
        self._block = self._board.gc.allocate(count)
        return self._board.flash.read(as_int(address), count)


class _Config:
    """`Maix.config`: /flash/config.json."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def get_value(self, key: Any, default: Any) -> Any:
        """Any: JSON."""
        try:
            with self._board.files.open("/flash/config.json", "r") as stream:
                values = json.load(stream)
        except (OSError, ValueError):
            return default
        return values.get(key, default) if isinstance(values, dict) else default


@device_module("Maix")
class MaixModule:
    """The module."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.FPIOA = bound(FPIOA, board)
        self.GPIO = bound(GPIO, board, _made={})
        self.I2S = bound(I2S, board)
        self.Audio = bound(Audio, board)
        self.FFT = FFT
        self.freq = _Freq(board)
        self.utils = _Utils(board)
        self.config = _Config(board)
        if board.has("mic_array"):
            self.MIC_ARRAY = bound(MIC_ARRAY, board)
