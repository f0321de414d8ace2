"""What usually goes wrong in a build of MaixPy, and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["FAILURES", "Failure", "explain"]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A pattern in the build's output, and its meaning; `{0}` stands for the pattern's first group."""

    pattern: str
    meaning: str


FAILURES: tuple[Failure, ...] = (
    Failure(
        pattern=r"No module named '?serial'?",
        meaning="project.py wants pyserial even to build. Install it: pip install pyserial",
    ),
    Failure(
        pattern=r"No module named '?(\w+)'?",
        meaning="The build's Python scripts want the module {0}. Install it for the Python that runs project.py.",
    ),
    Failure(
        pattern=r"config file path error",
        meaning="project.py did not find the configuration. Give its full path.",
    ),
    Failure(
        pattern=r"region [`']ram'? overflowed by (\d+) bytes",
        meaning="The program is {0} bytes too large for the memory. Switch options off: `k210kit firmware check` "
        "says what each costs.",
    ),
    Failure(
        pattern=r"Compatibility with CMake < 3\.5 has been removed",
        meaning="This CMake is too new for MaixPy's files. Use CMake 3.5 to 3.31, or set the environment variable "
        "CMAKE_POLICY_VERSION_MINIMUM=3.5.",
    ),
    Failure(
        pattern=r"CMake (\d[\d.]*) or higher is required",
        meaning="CMake {0} or newer is needed.",
    ),
    Failure(
        pattern=r"extension [`']?zicsr'? required|unrecognized opcode `(?:csr|fence\.i)",
        meaning="This compiler is too new for MaixPy's flags: csr instructions are an extension of their own since "
        "binutils 2.38. Use the vendor's compiler 8.2.0.",
    ),
    Failure(
        pattern=r"multiple definition of [`']?(\w+)",
        meaning="{0} is defined twice: compilers from version 10 on no longer merge such variables. Use the vendor's "
        "compiler 8.2.0, or add -fcommon.",
    ),
    Failure(
        pattern=r"extension [`']?d'? required",
        meaning="This assembler is too new: FreeRTOS's portasm.S saves double registers though MaixPy's flags name a "
        "chip without them. Use the vendor's compiler 8.2.0.",
    ),
    Failure(
        pattern=r"some warnings being treated as errors",
        meaning="This compiler warns of more than 8.2.0 did, and MaixPy's flags make errors of warnings. Use the "
        "vendor's compiler 8.2.0.",
    ),
    Failure(
        pattern=r"cannot find (crt0\.o|-l(?:gloss|stdc\+\+|atomic|[cmg])(?![\w+]))",
        meaning="The compiler comes without {0}, a part of its C library for this chip (that of Debian has "
        "none). Use the vendor's compiler 8.2.0, which brings its own newlib.",
    ),
    Failure(
        pattern=r"fatal error: (machine/syscall\.h|stdio\.h|string\.h|stdlib\.h): No such file",
        meaning="The compiler comes without {0}, a header of its C library. Use the vendor's compiler 8.2.0, which "
        "brings its own newlib.",
    ),
    Failure(
        pattern=r"unknown type name '_lock_t'",
        meaning="The compiler's newlib has no _lock_t; the vendor's has. Use the vendor's compiler 8.2.0.",
    ),
    Failure(
        pattern=r"undefined reference to [`']?(nncase_\w+)",
        meaning="{0} is part of nncase, which only CONFIG_MICROPYTHON_KMODEL_V4_SUPPORT=y brings; the speech "
        "recogniser needs it.",
    ),
    Failure(
        pattern=r"is not able to compile a simple test program|The C compiler identification is unknown",
        meaning="The compiler cannot make CMake's test program. Check --toolchain: it must be the bin folder of a "
        "riscv64-unknown-elf compiler for this computer, with its C library.",
    ),
    Failure(
        pattern=r"(riscv64-unknown-elf-\w+): (?:command )?not found",
        meaning="{0} was not found. Check --toolchain.",
    ),
    Failure(
        pattern=r"fatal error: ((?:py|lvgl|ulab|spiffs|lib)/?[\w./-]*\.h): No such file",
        meaning="{0} belongs to a submodule that is missing. In the checkout: git submodule update --init --recursive",
    ),
    Failure(
        pattern=r"CMakeLists\.txt:\s+(\S+) not found!",
        meaning="The folder {0} belongs to a submodule that is missing, perhaps one inside another. In the checkout: "
        "git submodule update --init --recursive",
    ),
    Failure(pattern=r"No space left on device", meaning="The disk is full."),
    Failure(pattern=r"Permission denied", meaning="A file may not be written or run by you; see the lines above."),
    Failure(
        pattern=r"(?:internal compiler error|Killed signal terminated program)",
        meaning="The compiler was stopped, most likely for want of memory. Close other programs and try again.",
    ),
)


def explain(output: str) -> tuple[str, ...]:
    """The meanings of all known failures in a build's output, in the order in which they appear there."""
    found: list[tuple[int, str]] = []
    for failure in FAILURES:
        match = re.search(failure.pattern, output)
        if match and not (failure.pattern.startswith("No module named '?(") and match.group(1) == "serial"):
            found.append((match.start(), failure.meaning.format(*(group or "" for group in match.groups()))))
    return tuple(text for _, text in sorted(found))
