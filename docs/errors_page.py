"""The reference page of every message that `k210kit explain` knows."""

from __future__ import annotations

from k210kit.explain import LANGUAGES, causes

__all__ = ["page"]

_HEAD = """# Messages and what they mean

`k210kit explain "the message"` finds these by itself, in whatever is pasted.
"""
_NAMES = {"en": "English", "ja": "日本語", "zh": "中文"}


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD]
    for one in causes():
        shown = " · ".join(f"`{pattern.pattern}`" for pattern in one.patterns[:3])
        parts.append(f"## {one.key}\n\nLooks like {shown}\n")
        for language in LANGUAGES:
            parts.append(f"**{_NAMES[language]}** {one.cause.of(language)}  \n→ {one.cure.of(language)}\n")
    return "\n".join(parts)
