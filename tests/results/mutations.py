"""Saved results with one value changed at random: `python -m tests.results.mutations 2000` runs that many."""

from __future__ import annotations

import copy
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

Place = tuple[Any, Any]
"""A list or object of a record, and the index or key in it."""

VALUES: tuple[Callable[[random.Random], Any], ...] = (
    lambda _: None,
    lambda _: True,
    lambda _: 0,
    lambda _: -1,
    lambda r: r.choice([10**400, -(10**30), 1 << 63, 4_000_000_000]),
    lambda r: r.choice([0.5, -1e308, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")]),
    lambda _: "",
    lambda r: r.choice(["../../secret.txt", "/etc/passwd", "a\0b", "..", ".", "/dev/zero", "x/" * 3000, "~"]),
    lambda r: r.choice(["\ud800", "\x1b[31m", "\n\r\u2028", "$\\bad{", "<script>alert(1)</script>", "日本語", "&lt;"]),
    lambda r: "x" * r.choice([300, 5000, 200_000]),
    lambda r: r.choice(["converged", "failed", "stalled", "source", "target", "matched", "flag", "zero-shot", "0.5"]),
    lambda _: [],
    lambda _: {},
    lambda _: [[[{}]]],
    lambda _: {"a": {"b": [1, "x", None]}},
    lambda r: [r.random() for _ in range(r.choice([1, 2, 700]))],
)


def places(record: Any) -> Iterator[Place]:
    """Every value of a record by where it is."""
    for key in record if isinstance(record, dict) else range(len(record)):
        yield record, key
        if isinstance(record[key], dict | list):
            yield from places(record[key])


def mutated(record: Any, chance: random.Random) -> Any:
    """The record with one value changed, removed, doubled or put in another's place."""
    changed = copy.deepcopy(record)
    everywhere = list(places(changed))
    # By depth first, or the rows of a trajectory would take nearly all.
    holder, key = chance.choice([p for p in everywhere if len(p[0]) < 30] if chance.random() < 0.8 else everywhere)
    what = chance.random()
    if what < 0.12:
        del holder[key]
    elif what < 0.2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif what < 0.3:
        other, there = chance.choice(everywhere)
        holder[key] = copy.deepcopy(other[there])
    else:
        holder[key] = chance.choice(VALUES)(chance)
    return changed


if __name__ == "__main__":
    sys.exit(pytest.main(["-q", "tests/results/test_mutations.py", "--mutations", sys.argv[1]]))
