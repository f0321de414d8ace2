"""`sys` of MaixPy 0.6.2, as the emulator has it; `not emulated` marks what only a board has."""

from typing import Any

argv: list[Any]
byteorder: str
implementation: Implementation
maxsize: int
modules: dict[Any, Any]
path: list[Any]
platform: str
stderr: Output
stdin: Input
stdout: Output
version: str
version_info: tuple[Any, ...]

def exit(value: Any = None) -> None: ...
def print_exception(exception: BaseException, file: Any = None) -> None: ...

class Implementation:
    name: str
    version: tuple[Any, ...]
    def __getitem__(self, key: Any) -> Any: ...
    def count(self, value: Any) -> Any: ...
    def index(self, value: Any, start: Any = 0, stop: Any = 9223372036854775807) -> Any: ...

class Output:
    def flush(self) -> None: ...
    def write(self, data: Any) -> int: ...

class Input:
    def read(self, size: int = -1) -> str: ...
    def readline(self, size: int = -1) -> str: ...
