"""A pasted text against the table of causes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .causes import Cause, Text, causes

__all__ = ["Explanation", "explain"]

MOST_LINE = 1000
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # a terminal's sequences, in the middle of words too
_MAGIC = {
    b"LDMK": Text(
        en="a kmodel V4 or V5 (nncase 0.2 and later)",
        ja="kmodel V4またはV5（nncase 0.2以降）",
        zh="kmodel V4 或 V5（nncase 0.2 及以后）",
    ),
    b"KMDL": Text(
        en="a kmodel V4 or V5 with swapped words",
        ja="ワードを入れ替えたkmodel V4/V5",
        zh="交换过字节序的 kmodel V4/V5",
    ),
    b"LDME": Text(en="an encrypted .emodel", ja="暗号化された.emodel", zh="加密的 .emodel"),
    b"\x00\x00\x00\x03": Text(
        en="a kmodel V3 with swapped words, for kpu.load_flash",
        ja="ワードを入れ替えたkmodel V3（kpu.load_flash用）",
        zh="交换过字节序的 kmodel V3（供 kpu.load_flash）",
    ),
    b"\x03\x00\x00\x00": Text(en="a kmodel V3", ja="kmodel V3", zh="kmodel V3"),
    b"\xff\xff\xff\xff": Text(en="an empty flash", ja="空のフラッシュ", zh="空的闪存"),
    b"\x00\x00\x00\x00": Text(en="zeros", ja="ゼロ", zh="全零"),
    (10003).to_bytes(4, "little"): Text(en="an encrypted .smodel", ja="暗号化された.smodel", zh="加密的 .smodel"),
}
_UNKNOWN = Text(
    en="nothing that is a model: another file, or no file, lies there",
    ja="モデルではないデータ（別のファイル、または何も無い）",
    zh="不是模型的数据（别的文件，或没有文件）",
)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """One cause found in a text: `matched` is the piece that shows it, `detail` what its number says."""

    key: str
    matched: str
    cause: Text
    cure: Text
    detail: Text | None = None


def explain(text: str) -> tuple[Explanation, ...]:
    """Every cause that shows in `text`, in the order in which they show; lines are looked at one by one."""
    found: dict[str, tuple[int, int, Explanation]] = {}
    for number, line in enumerate(_lines(text)):
        for one in causes():
            matches = [match for pattern in one.patterns if (match := pattern.search(line))]
            if matches and one.key not in found:
                start = min(match.start() for match in matches)
                found[one.key] = (number, start, _explanation(one, matches))
    return tuple(shown for *_, shown in sorted(found.values(), key=lambda row: row[:2]))


def _lines(text: str) -> Iterator[str]:
    """The lines, long ones in pieces: no message is longer, and searching stays quick whatever is pasted."""
    for line in _COLOURS.sub("", text).splitlines():
        for at in range(0, max(len(line), 1), MOST_LINE):
            yield line[at : at + MOST_LINE]


def _explanation(one: Cause, matches: list[re.Match[str]]) -> Explanation:
    first = min(matches, key=lambda match: match.start())
    numbered = next((match for match in matches if match.lastindex), first)
    detail = _DETAILS.get(one.key, _no_detail)(numbered)
    return Explanation(key=one.key, matched=first.group().strip(), cause=one.cause, cure=one.cure, detail=detail)


def _no_detail(_: re.Match[str]) -> Text | None:
    return None


def _version(match: re.Match[str]) -> Text | None:
    """The number in "get V…" is the first four bytes of what lies there."""
    if not match.lastindex or int(match[1]) >= 1 << 32:
        return None
    number = int(match[1])
    if 1 <= number <= 9 and number != 3:
        name = f"kmodel V{number}"
        return Text(en=f"The file is a {name}.", ja=f"ファイルは{name}です。", zh=f"该文件是 {name}。")
    raw = number.to_bytes(4, "little")
    what = _MAGIC.get(raw, _UNKNOWN)
    shown = raw.decode("ascii") if raw.isalnum() else raw.hex(" ")
    return Text(
        en=f"{number} is the bytes {shown}: {what.en}.",
        ja=f"{number}はバイト列 {shown}：{what.ja}。",
        zh=f"{number} 是字节 {shown}：{what.zh}。",
    )


def _layer(match: re.Match[str]) -> Text | None:
    """A layer's number is that of a TFLite operator."""
    if not match.lastindex or not (match[1] or "").isdigit():
        return None
    import tflite

    names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    name = names.get(int(match[1]))
    if name is None:
        return None
    return Text(
        en=f"TFLite operator {match[1]} is {name}.",
        ja=f"TFLiteの演算子{match[1]}は{name}です。",
        zh=f"TFLite 算子 {match[1]} 是 {name}。",
    )


_DETAILS: dict[str, Callable[[re.Match[str]], Text | None]] = {
    "kpu-wrong-version": _version,
    "layer-unsupported": _layer,
}
