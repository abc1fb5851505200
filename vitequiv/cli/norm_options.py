"""The options of `match` about the size of the change."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from vitequiv.errors import UsageError
from vitequiv.matching.names import Init, Minimise

PANEL = "Size of the change"

Linf = Annotated[
    str | None,
    typer.Option(
        "--linf",
        metavar="E",
        help="The most that a value may change, pixels in [0, 1]: a number from 1/255 to 1, or levels, such as 8/255.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
L2 = Annotated[
    float | None,
    typer.Option(
        "--l2",
        metavar="E",
        help="The most that an image may change in the Euclidean norm, pixels in [0, 1].",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
MinimiseOption = Annotated[
    Minimise | None,
    typer.Option(
        "--minimise",
        help="Once the goal is met, spend what is left of --max-passes on a smaller change.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]

_FRACTION = re.compile(r"\s*(\d+(?:\.\d*)?)\s*/\s*255\s*")


def parse_linf(text: str | None) -> float | None:
    """Read `--linf`.

    Args:
        text: A decimal or levels over 255; None if not given.

    Returns:
        The limit, in (0, 1].

    Raises:
        UsageError: If it is neither or out of range.
    """
    if text is None:
        return None
    levels = _FRACTION.fullmatch(text)
    try:
        value = float(levels[1]) / 255 if levels else float(text)
    except ValueError:
        value = float("nan")
    if 0 < value * 255 < 1:
        raise UsageError(f"--linf must be at least 1/255, for an 8-bit image cannot change by less, got {text!r}.")
    if not 0 < value <= 1:
        raise UsageError(f"--linf must be a number above 0 and at most 1, or levels such as 8/255, got {text!r}.")
    return value


def check_size(linf: float | None, l2: float | None, minimise: Minimise | None, init: Init) -> None:
    """Refuse what cannot be asked of the size of a change.

    Args:
        linf: As parsed.
        l2: As given.
        minimise: As given.
        init: Where the match starts.

    Raises:
        UsageError: If l2 is out of range, or there is no source to be near.
    """
    if l2 is not None and not 0 < l2 < float("inf"):
        raise UsageError(f"--l2 must be a number above 0, got {l2:g}.")
    for name, value in (("--linf", linf), ("--l2", l2), ("--minimise", minimise)):
        if value is not None and init is Init.NOISE:
            raise UsageError(
                f"{name} is about the change of a source, and --init noise has none: leave out one of them."
            )
