"""The table of causes, read from `causes.txt`: what each message means, in three languages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["FIRST_CODE", "LANGUAGES", "Cause", "Language", "Text", "causes"]

LANGUAGES = ("en", "ja", "zh")
FIRST_CODE = 2000  # MaixPy's KPU errors are 2001 and up; old builds printed 1 and up
_FILE = Path(__file__).with_name("causes.txt")
Language = str


@dataclass(frozen=True, kw_only=True)
class Text:
    """The same sentence in English, Japanese and Chinese."""

    en: str
    ja: str
    zh: str

    def of(self, language: Language) -> str:
        text: str = getattr(self, language)
        return text


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One thing that goes wrong: how it shows, why, and what to do."""

    key: str
    patterns: tuple[re.Pattern[str], ...]
    cause: Text
    cure: Text


@cache
def causes() -> tuple[Cause, ...]:
    """Every cause, in the order of the file."""
    text = _FILE.read_text(encoding="utf-8")
    return tuple(_parse(paragraph) for paragraph in text.split("\n# ")[1:])


def _parse(paragraph: str) -> Cause:
    key, *lines = paragraph.strip().splitlines()
    patterns: list[str] = []
    texts: dict[str, tuple[str, str]] = {}
    for line in lines:
        mark, _, rest = line.partition(" ")
        if mark == "%":
            number, _, name = rest.partition(" ")
            patterns += _code(int(number), name)
        elif mark == "~":
            patterns.append(rest)
        else:
            cause, _, cure = rest.partition(" => ")
            texts[mark] = (cause, cure)
    return Cause(
        key=key,
        patterns=tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns),
        cause=Text(**{language: texts[language][0] for language in LANGUAGES}),
        cure=Text(**{language: texts[language][1] for language in LANGUAGES}),
    )


def _code(number: int, name: str) -> list[str]:
    """How a KPU error shows: its name, its number (but no date), or the bare small number that old builds print."""
    full = FIRST_CODE + number
    return [
        rf"\b{name}\b",
        rf"(?<!\d)(?<!\d[-./])(?<!/){full}(?!\d|[-./]\d)",
        rf"(?:load|run|forward|init|output|kpu|model)\w*\s*err(?:or)?\s*[:=]?\s*(?:{number}|{full})(?!\d)",
    ]
