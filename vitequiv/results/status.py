"""How an item ended. Numerical failure is a status, never an exception."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """The end of one item."""

    CONVERGED = "converged"
    BUDGET_EXHAUSTED = "budget_exhausted"
    STALLED = "stalled"
    NON_FINITE = "non_finite"
    FAILED = "failed"

    @property
    def sentence(self) -> str:
        """What the status means, for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.CONVERGED: "The goal was met.",
    Status.BUDGET_EXHAUSTED: "The passes allowed ran out before the goal was met: allow more, or choose another "
    "solver.",
    Status.STALLED: "The loss stopped falling before the goal was met: try another solver or step size.",
    Status.NON_FINITE: "The embedding or its gradient became NaN or infinite: try float32 or float64, or a smaller "
    "step size.",
    Status.FAILED: "The item could not be processed.",
}
