"""Tables on any terminal: what is in them is there, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from k210kit.cli.output import table


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_table_leaves_nothing_out_and_breaks_no_figure(width: int) -> None:
    names = ["minimum_with_kmodel_v4_ide", "a name of some words", "-"]
    rows = [(name, 4_945_392 * number, name * 3, "33,177,600") for number, name in enumerate(names)]
    written = io.StringIO()
    Console(file=written, width=width).print(table("", ("name", "bytes>", "what it is for", "MAC>"), rows))
    text = written.getvalue()
    assert "…" not in text
    for name, figure, more, mac in rows:
        assert str(figure) in text
        assert text.count(mac) == 3
        for letters in (name, more):
            assert not set(letters) - set(text)
    squeezed = "".join(text.split())
    assert all(word[:6] in squeezed for name in names for word in name.split())


def test_a_column_whose_name_ends_in_an_angle_is_right_aligned() -> None:
    written = io.StringIO()
    Console(file=written, width=60).print(table("", ("a", "b>"), [("x", 1), ("y", 1000)]))
    lines = [line.rstrip() for line in written.getvalue().splitlines() if line.strip()]
    assert [line[-4:] for line in lines[2:]] == ["   1", "1000"]


def test_a_table_of_nothing_has_its_head() -> None:
    written = io.StringIO()
    Console(file=written, width=60).print(table("none", ("a", "b>"), []))
    assert "a" in written.getvalue()
