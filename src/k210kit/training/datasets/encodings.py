"""Text that is not UTF-8: which of the old encodings it was written in, decided over all of it at once.

A label must not be decoded one way in one file and another way in the next: that would make two classes of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["declared", "encoding_of", "is_utf8"]

# GB 2312 has the narrowest range of bytes, so what fits it hardly ever means anything else; Shift JIS and GBK overlap
_EAST_ASIAN = ("gb2312", "cp932", "gbk")
# one ideograph wedged against small Latin letters, or a wide letter beside a narrow one: an accented letter misread
_WEDGED = re.compile(
    r"(?<![^\x00-\x7f])[^\x00-\x7f](?=[a-z])|[\uff21-\uff5a](?=[A-Za-z])|(?<=[a-z])[^\x00-\x7f](?=[a-z])"
)
_FOREIGN = re.compile(r"[^\x00-\x7f]+")


def is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    return True


def encoding_of(texts: Iterable[bytes], *, western: str) -> str:
    """The encoding in which all of these texts make sense; `western` if none of Chinese or Japanese Windows fits."""
    whole = b"\n".join(texts)
    for encoding in _EAST_ASIAN:
        try:
            text = whole.decode(encoding)
        except UnicodeDecodeError:
            continue
        runs = _FOREIGN.findall(text)
        strange = len(_WEDGED.findall(text)) + sum(not any(map(str.isalpha, run)) for run in runs)
        if 2 * strange <= len(runs):
            return encoding
    return western


def declared(data: bytes) -> str | None:
    """The encoding that an XML file says it has, if Python knows it."""
    found = re.match(rb"\s*<\?xml[^>]{0,200}encoding=[\"']([\w.-]+)[\"']", data[:400])
    if not found:
        return None
    name = found[1].decode().lower()
    name = "gb18030" if name in ("gb2312", "gbk") else name  # as everywhere: the later standards hold the earlier
    try:
        b"".decode(name)
    except LookupError:
        return None
    return name
