"""What `vitequiv match` is to do, from its command line; contradictions are refused before anything is loaded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from vitequiv.cli.console import print_note
from vitequiv.errors import UsageError
from vitequiv.matching.names import Init
from vitequiv.runs.target_choice import TargetChoice
from vitequiv.runs.worklist.items import Pair, WorkList
from vitequiv.runs.worklist.pairs import (
    noise_to_given,
    pairs_from_noise,
    pairs_from_paths,
    pairs_to_each,
    pairs_to_given,
)
from vitequiv.runs.worklist.pairs_file import ANY_TARGET, pairs_from_csv


def find_pairs(
    paths: list[str], pairs: Path | None, to: list[str], choice: TargetChoice | None, init: Init, quiet: bool
) -> WorkList[Pair]:
    """Find the pairs that the command line names."""
    say: Callable[[str], None] = (lambda _: None) if quiet else print_note
    if to:
        others = {"--pairs": pairs, "--init noise": init is Init.NOISE or None, "a --target option": choice}
        for name, other in others.items():
            if other is not None:
                raise UsageError(
                    f"--to names the targets of every SOURCE, and {name} does not go with it: leave out one."
                )
        return pairs_to_each(paths, to, sys.stdin, say)
    if pairs is not None:
        if paths:
            raise UsageError("Give either --pairs or SOURCE... TARGET, not both.")
        if init is Init.NOISE:
            raise UsageError("--init noise has no sources: name the targets instead of --pairs.")
        if choice is not None:
            raise UsageError("Give either --pairs, whose rows name their targets, or a --target option, not both.")
        return pairs_from_csv(pairs, ANY_TARGET, say)
    if choice is not None and init is Init.NOISE:
        if paths:
            raise UsageError("--init noise has no sources and an option names the target: leave out the names.")
        return noise_to_given(choice.label)
    if choice is not None:
        return pairs_to_given(paths, choice.label, sys.stdin)
    if init is Init.NOISE:
        return pairs_from_noise(paths, sys.stdin)
    return pairs_from_paths(paths, sys.stdin, say)


def check_ranges(cosine: float, residual: float | None, step_size: float | None) -> None:
    """Refuse what no match can be asked for, before anything is loaded."""
    if not -1 < cosine <= 1:
        raise UsageError(f"--cosine must be above -1 and at most 1, got {cosine:g}.")
    for name, value in (("--residual", residual), ("--step-size", step_size)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} must be a number above 0, got {value:g}.")
