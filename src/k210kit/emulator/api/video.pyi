"""`video` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from image import Image

def open(
    path: str,
    *,
    record: bool = False,
    interval: int = 100000,
    quality: int = 50,
    width: int = 320,
    height: int = 240,
    audio: bool = False,
    sample_rate: int = 44100,
    channels: int = 1,
) -> Avi: ...

class Avi:
    def capture(self, img: Image) -> int: ...
    def play(self) -> int: ...
    def record(self, img: Image) -> int: ...
    def record_finish(self) -> None: ...
    def volume(self, volume: int = ...) -> int: ...
