"""Medians over pairs, the choice of the best setting, and Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.match import THRESHOLDS
from tests.benchmarks.peers.recorder import Outcome

HEADER = (
    "| method | setting | "
    + " | ".join(f"cosine {t}" for t in THRESHOLDS)
    + " | seconds |\n"
    + "| --- " * (3 + len(THRESHOLDS))
    + "|"
)


@dataclass(frozen=True)
class Row:
    """A method at a setting: an outcome a pair, and the reference's on the same pairs."""

    method: str
    setting: str
    outcomes: Sequence[Outcome]
    reference: Sequence[Outcome]

    def passes(self, threshold: float) -> float:
        """Median, a pair that did not get there counting as infinite."""
        return statistics.median(
            o.reached[threshold].passes if threshold in o.reached else math.inf for o in self.outcomes
        )

    def seconds(self, threshold: float) -> float:
        """Median, a pair that did not get there counting as infinite."""
        return statistics.median(
            o.reached[threshold].seconds if threshold in o.reached else math.inf for o in self.outcomes
        )

    def converged(self, threshold: float) -> int:
        return sum(threshold in o.reached for o in self.outcomes)

    def l2(self, threshold: float) -> float:
        """Median over the pairs that got there; NaN if there is none."""
        lengths = [o.reached[threshold].l2 for o in self.outcomes if threshold in o.reached]
        return statistics.median(lengths) if lengths else math.nan

    def l2_ratio(self, threshold: float) -> float | None:
        """Median over the pairs that both it and the reference brought there; None if there is none."""
        ratios = [
            o.reached[threshold].l2 / r.reached[threshold].l2
            for o, r in zip(self.outcomes, self.reference, strict=False)
            if threshold in o.reached and threshold in r.reached and r.reached[threshold].l2 > 0
        ]
        return statistics.median(ratios) if ratios else None

    def rank(self) -> tuple[float, ...]:
        """Smaller is better: most pairs at the highest cosine, then fewest passes to it, then the same lower down."""
        reached = [v for t in reversed(THRESHOLDS) for v in (-self.converged(t), self.passes(t))]
        return (*reached, -statistics.median(o.best_cosine for o in self.outcomes))

    def __str__(self) -> str:
        errors = sum(o.error is not None for o in self.outcomes)
        cells = [self.method, self.setting + (f" ({errors} ended in an error)" if errors else "")]
        for threshold in THRESHOLDS:
            ratio = self.l2_ratio(threshold)
            length = "-" if ratio is None else f"{ratio:.2f}"
            count = f"{self.converged(threshold)} of {len(self.outcomes)}"
            cells.append(f"{self.passes(threshold):.0f} / {length} / {count}")
        cells.append(f"{self.seconds(max(THRESHOLDS)):.2f}")
        return "| " + " | ".join(cells) + " |"


def reference_line(reference: Sequence[Outcome]) -> str:
    """The reference's own passes and L2."""
    row = Row("", "", reference, reference)
    parts = [
        f"{t} in {row.passes(t):.0f} passes at L2 {row.l2(t):.2f} ({row.converged(t)} of {len(reference)})"
        for t in THRESHOLDS
    ]
    return "Reference, gradient descent at step 1e-3: cosine " + ", ".join(parts) + "."


def missing_row(method: str) -> str:
    return f"| {method} | not installed |" + " - |" * (len(THRESHOLDS) + 1)
