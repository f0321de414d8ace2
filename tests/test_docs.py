"""The documentation's pages: what they link to exists, and translations say the same commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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
