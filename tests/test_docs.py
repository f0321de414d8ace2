"""The documentation's pages: what they link to exists, and translations say the same commands."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from k210kit.cli.table import COMMANDS
from tests.command_lines import refusal

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md"))]
TRANSLATIONS = [(page, language) for page in ("README", "docs/tutorial") for language in ("ja", "zh")]


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", _text(page), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)#\s]+)", prose)
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize(("page", "language"), TRANSLATIONS)
def test_a_translation_has_the_commands_of_its_original(page: str, language: str) -> None:
    commands = re.findall(r"^```sh\n.*?^```", _text(ROOT / f"{page}.md"), re.MULTILINE | re.DOTALL)
    assert commands
    translated = re.findall(r"^```sh\n.*?^```", _text(ROOT / f"{page}.{language}.md"), re.MULTILINE | re.DOTALL)
    assert translated == commands


@pytest.mark.parametrize(("page", "language"), TRANSLATIONS)
def test_a_translation_has_the_figures_of_its_original(page: str, language: str) -> None:
    missing = _figures(_text(ROOT / f"{page}.md")) - _figures(_text(ROOT / f"{page}.{language}.md"))
    assert missing == Counter()


def _figures(text: str) -> Counter[str]:
    """Numbers of the prose and the tables; a translation may write more of them, where English has a word."""
    prose = re.sub(r"^```.*?^```|\]\([^)]*\)|<http[^>]*>", "", text, flags=re.MULTILINE | re.DOTALL)
    return Counter(re.findall(r"(?<![A-Za-z\d])\d[\d,]*(?:\.\d+)*", prose))


def test_every_command_has_a_page_that_tells_how() -> None:
    index = _text(ROOT / "docs" / "howto" / "index.md")
    named = set(re.findall(r"`([a-z-]+)`", index.partition("## When it does not work")[0]))
    assert named == {row.name for row in COMMANDS}


def _command_lines() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in re.findall(r"^ *```(?:sh|bash|text)\n(.*?)^ *```", _text(page), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(re.split(r"  +(?=\S)| <|#", line.strip())[0], comments=True)
                if words[:1] == ["k210kit"] and words[1:] and "COMMAND" not in words and "[OPTIONS]" not in words:
                    yield str(page.relative_to(ROOT)), words[1:]


def test_every_command_line_of_the_pages_is_one_that_the_command_takes() -> None:
    lines = [(page, words) for page, words in _command_lines() if not words[0].startswith("-")]
    assert len(lines) > 80
    usage = re.compile(r"^\[?[A-Z@=x.,\]]{4,}$")  # pages of usage have names where values go
    refused = [(page, " ".join(words), why) for page, words in lines if (why := refusal(words[0], words[1:]))]
    assert [row for row in refused if not any(usage.match(word) for word in row[1].split())] == []


def _mentioned() -> Iterator[tuple[str, str]]:
    """Commands in the middle of a sentence or of a table."""
    for page in PAGES:
        prose = re.sub(r"^ *```.*?^ *```", "", _text(page), flags=re.MULTILINE | re.DOTALL)
        for line in re.findall(r"`(k210kit [a-z][^`\n]*)`", prose):
            yield str(page.relative_to(ROOT)), line.partition(" <")[0]


def test_every_command_that_a_sentence_mentions_is_one_that_the_command_takes() -> None:
    lines = set(_mentioned())
    assert len(lines) > 100
    partial = re.compile(
        "requires an argument|Missing argument|'PORT' is not"
    )  # an option named alone, a name for a value
    refused = [(page, line, why) for page, line in lines if (why := refusal(*_split(line))) and not partial.search(why)]
    assert refused == []


def _split(line: str) -> tuple[str, list[str]]:
    _, name, *words = shlex.split(line)
    return name, words
