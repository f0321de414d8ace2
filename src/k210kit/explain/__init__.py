"""What a pasted error message means, and what to do: in English, Japanese and Chinese."""

from __future__ import annotations

from .causes import LANGUAGES, Cause, Text, causes
from .matcher import Explanation, explain

__all__ = ["LANGUAGES", "Cause", "Explanation", "Text", "causes", "explain"]
