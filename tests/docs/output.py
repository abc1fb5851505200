"""Whether what a command printed is what the page shows, on whatever processor it ran."""

from __future__ import annotations

import re
from itertools import zip_longest

NUMBER = re.compile(r"(?<![\w.-])(-?\d+\.\d+|-?\d+)(?![\w.-])")
SHARE = 0.05
"""Largest relative difference of a measured number: a match takes another path where the processor adds up in another
order, and ends just as well a few percent away. The pages' conclusions need no more than that."""


def agrees(shown: str, printed: str) -> bool:
    """Returns whether a page's block is what was printed.

    `...` stands for anything. A number that has a decimal point on either side may differ by `SHARE`, or by one in the
    last place that the page shows; everything else, whole numbers among it, is the same character by character.
    """
    pattern = ".*?".join(_pattern(part) for part in shown.split("..."))
    found = re.fullmatch(pattern, printed, flags=re.DOTALL)
    if found is None:
        return False
    wanted = [number for part in shown.split("...") for number in NUMBER.findall(part)]
    return all(_close(one, other) for one, other in zip_longest(wanted, found.groups()))


def _pattern(text: str) -> str:
    pieces = NUMBER.split(text)
    return "".join(r"(-?\d+(?:\.\d+)?)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))


def _close(shown: str, printed: str) -> bool:
    if shown == printed:
        return True
    if "." not in shown and "." not in printed:
        return False
    places = max(len(number.partition(".")[2]) for number in (shown, printed))
    unit = 10.0 ** -len(shown.partition(".")[2]) if "." in shown else 10.0**-places
    return abs(float(shown) - float(printed)) <= max(SHARE * abs(float(shown)), unit) * (1 + 1e-9)
