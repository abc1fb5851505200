"""Names of items: plain, unique, bounded."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitequiv.runs.worklist.names import LONGEST_STEM
from vitequiv.runs.worklist.pairs import named


@pytest.mark.parametrize(
    ("source", "target", "wish", "name"),
    [
        ("photos/cat.png", "t.png", None, "cat_to_t"),
        (None, "t.png", None, "noise_to_t"),
        ("a b/c d.png", "x:y.png", None, "c_d_to_x_y"),
        ("Grüße.png", "世界.png", None, "Grüße_to_世界"),
        (".hidden.png", "t.png", None, "hidden_to_t"),
        ("c.png", "t.png", "../../etc/passwd", "_.._etc_passwd"),
        ("c.png", "t.png", "/abs", "_abs"),
        ("c.png", "t.png", "..", "item"),
        ("c.png", "t.png", "line\nbreak\x00", "line_break_"),
        ("x" * 300 + ".png", "t.png", None, "x" * LONGEST_STEM + "_to_t"),
        ("日" * 80 + ".png", "t.png", None, "日" * (LONGEST_STEM // 3) + "_to_t"),
    ],
)
def test_names(source, target, wish, name):
    (pair,) = named([(Path(source) if source else None, Path(target), wish)])
    assert pair.name == name


def test_names_met_before_are_numbered_whatever_their_case():
    entries = [
        (Path(d) / f"{n}.png", Path("t.png"), None) for d, n in (("a", "cat"), ("b", "Cat"), ("c", "CAT"), ("d", "dog"))
    ]
    assert [pair.name for pair in named(entries)] == ["cat_to_t", "Cat_to_t-2", "CAT_to_t-3", "dog_to_t"]


@given(st.lists(st.text(max_size=400), min_size=1, max_size=8))
def test_any_wish_becomes_a_unique_plain_name_inside_the_directory(wishes):
    pairs = named([(Path("s.png"), Path("t.png"), wish) for wish in wishes])
    names = [pair.name for pair in pairs]
    assert len({name.casefold() for name in names}) == len(wishes)
    for name in names:
        assert name not in {"", ".", ".."}
        assert Path(name).name == name
        assert len(name.encode()) <= 255
        assert not any(ord(c) < 32 for c in name)
