"""What an observer is told while images are matched."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from vitequiv.matching.goal import Goal
    from vitequiv.matching.loop import Run


@dataclass(frozen=True)
class Progress:
    """What an observer is told after each evaluation of the batch.

    Args:
        fraction: Share of the batch that is done, in [0, 1]: 1 for an image that has ended, else an estimate that
            takes the way to the goal as covered at an even pace in log(1 - cosine).
        active: Images still going.
        ended: Images that have ended.
        loss: Median loss of those evaluated.
        cosine: Their median cosine.
    """

    fraction: float
    active: int
    ended: int
    loss: float
    cosine: float


Observer = Callable[[Progress], None]


def progress_of(evaluated: Sequence[Run], goal: Goal, everyone: Sequence[Run]) -> Progress:
    """The progress of a batch in the loop.

    Args:
        evaluated: The images of the last evaluation.
        goal: When they are done.
        everyone: All images of the batch.

    Returns:
        The progress.
    """
    going = [run for run in everyone if run.status is None]
    ended = len(everyone) - len(going)
    done = ended + sum(_share_done(run, goal) for run in going)
    return Progress(done / len(everyone), len(going), ended, *last_medians(evaluated))


def last_medians(runs: Sequence[Run]) -> tuple[float, float]:
    """Medians of the last loss and the last cosine; NaN where there is none."""
    rows = [run.trajectory[-1] for run in runs if run.trajectory]
    loss, cosine = (
        torch.tensor([getattr(row, name) for row in rows] or [torch.nan], dtype=torch.float64).median().item()
        for name in ("loss", "cosine")
    )
    return loss, cosine


def _share_done(run: Run, goal: Goal) -> float:
    """How far an image is on its way, in [0, 1): by passes or by its measures, whichever is further."""
    first, last = run.trajectory[0], run.trajectory[-1]
    if goal.cosine is not None and goal.cosine < 1:
        start, now, end = 1 - first.cosine, 1 - last.cosine, 1 - goal.cosine
    else:
        start, now, end = first.loss, last.loss, first.loss * 1e-4
    way = math.log(start / now) / math.log(start / end) if min(start, now) > 0 and start > end else 0.0
    return min(max(run.passes / goal.max_passes, way, 0.0), 0.99)


def part(observe: Observer, before: int, total: int) -> Observer:
    """Tell an observer of one batch as of all pairs, of which some are done and some are to come."""

    def part(progress: Progress) -> None:
        here = progress.active + progress.ended
        share = (before + progress.fraction * here) / total
        ended = before + progress.ended
        observe(replace(progress, fraction=share, active=total - ended, ended=ended))

    return part


def phases(observe: Observer) -> tuple[Observer, Observer]:
    """Tell an observer of two phases as of one: no image ends in the first."""

    def first(progress: Progress) -> None:
        every = progress.active + progress.ended
        observe(replace(progress, fraction=progress.fraction / 2, active=every, ended=0))

    def second(progress: Progress) -> None:
        observe(replace(progress, fraction=(1 + progress.fraction) / 2))

    return first, second
