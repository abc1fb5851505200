"""What is kept of late: bounded, and the one not asked for longest goes first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitequiv.runs.recent import Recent


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=40), st.integers(0, 20))
def test_it_never_holds_more_than_there_is_room_for(asked, room):
    sizes = dict(asked)
    recent = Recent[tuple[int, int]](room, lambda value: value[1])
    for key, _ in asked:
        assert recent.get(key, lambda key=key: (key, sizes[key])) == (key, sizes[key])
        assert recent.held <= room
        assert recent.held == sum(size for other, size in sizes.items() if other in recent)


@pytest.mark.parametrize(
    ("asked", "made"),
    [
        ("aaaa", "a"),
        ("abab", "ab"),
        ("abcabc", "abcabc"),  # more than there is room for, in turn: none is there when it is asked for again
        ("abaca", "abc"),  # a is asked for again before c comes, so b goes
        ("abacab", "abcb"),
    ],
)
def test_the_one_not_asked_for_longest_makes_room(asked, made):
    recent = Recent[str](2, len)
    log = []
    for key in asked:
        recent.get(key, lambda key=key: log.append(key) or key)
    assert "".join(log) == made


def test_what_cannot_be_made_is_not_kept():
    recent = Recent[str](2, len)
    with pytest.raises(ZeroDivisionError):
        recent.get("a", lambda: str(1 / 0))
    assert "a" not in recent
    assert recent.get("a", lambda: "x") == "x"
