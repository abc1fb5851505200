"""Going on from 8-bit image to 8-bit image where an image meets its goal and its rounding does not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.loop import PATIENCE, PROGRESS, SAVING_MARGIN, Run
from vitequiv.matching.names import LossName
from vitequiv.matching.objective import CHARTS, cosine_similarity, squared_distance
from vitequiv.matching.progress import Observer, Progress
from vitequiv.matching.solvers.nystrom import Nystrom
from vitequiv.precision import wide
from vitequiv.results.match import TrajectoryRow
from vitequiv.results.status import Status

STEPS = Nystrom(step_size=0.06)
"""A third of the default step: so close to the goal, what a longer one leaves over is too much."""
REFUSALS = 6
"""Steps in a row, each half the last, after which an image is taken although it is no better."""


def refine_on_lattice(
    embed: Embed,
    start: Tensor,
    target: Tensor,
    runs: list[Run],
    goal: Goal,
    observe: Observer | None = None,
    loss: LossName = LossName.DISTANCE,
    constraints: Constraints = BOX,
) -> None:
    """Look for an 8-bit image that meets the goal, near an image that does.

    Rounding moves every value; here few are moved by one level each. The solver's step p from the 8-bit image says
    where to: as many values go a level along p, the largest |p_i| first, as make the progress of p as it would be
    unrounded, that is until sum |p_i| / 255 = |p|^2. Few large ones change the embedding along p as much as many small
    ones and across it less. Where the image that comes of it is further from the target, the share of the progress
    asked for is halved. Cost: 2 passes a step, 1 for one that is refused; never more than the goal's `max_passes` in
    all.

    Args:
        embed: The map from pixels to embeddings.
        start: Where the images started, (B, 3, H, W).
        target: Embeddings to match, (B, n).
        runs: What `minimise` found from there, with this goal and `hand_over`. Those that it handed over are ended in
            place: their point is then the 8-bit image that met the goal, else the closest one seen.
        goal: The goal, for the rounded image.
        observe: Told of the progress after each evaluation.
        loss: What to make small.
        constraints: What each 8-bit image keeps.
    """
    waiting = [i for i, run in enumerate(runs) if run.status is None and run.shadow is not None]
    for i in waiting:
        run, ended = runs[i], sum(run.status is not None for run in runs)

        def tell(run: Run = run, ended: int = ended) -> None:
            if observe and run.trajectory:
                done = 1.0 if run.status is not None else min(run.passes / goal.max_passes, 0.99)
                finished = ended + (run.status is not None)
                row = run.trajectory[-1]
                observe(Progress((ended + done) / len(runs), len(runs) - finished, finished, row.loss, row.cosine))

        began = time.perf_counter()
        _refine(embed, start[i : i + 1], target[i : i + 1], run, goal, tell, loss, constraints)
        run.seconds += time.perf_counter() - began


def _refine(
    embed: Embed,
    start: Tensor,
    target: Tensor,
    run: Run,
    goal: Goal,
    tell: Callable[[], None],
    loss: LossName,
    constraints: Constraints,
) -> None:
    """Refine one image; everything has a batch of 1."""
    if run.shadow is None:
        raise ValueError("Only a run that was handed over can be refined.")
    chart, pixels = CHARTS[loss], constraints.round(run.shadow[None], start)
    closest, milestone, idle = -math.inf, -math.inf, 0
    base, base_loss, step, state, share, refused = pixels, math.inf, torch.zeros_like(pixels), None, 1.0, 0
    while run.passes < goal.max_passes:
        point = Linearisation(embed, pixels, chart)
        run.forwards += 1
        residual = point.embedding - chart(target)
        slack, here = goal.slack(point.raw, target).item(), squared_distance(residual).item()
        if not math.isfinite(here):
            run.status = Status.NON_FINITE
            break
        moved = wide((pixels - start).abs()).mean().item()
        run.trajectory.append(TrajectoryRow(run.passes, here, cosine_similarity(point.raw, target).item(), moved))
        if slack > closest:
            closest, run.loss, run.pixels, run.embedding = slack, here, pixels[0].clone(), point.raw[0].clone()
        # 1 - slack is a distance, whose square is a loss.
        gained = (1 - slack) ** 2 < (1 - PROGRESS) * (1 - milestone) ** 2
        milestone, idle = (slack, 0) if gained else (milestone, idle + 1)
        if bool(goal.met(point.raw, target, SAVING_MARGIN)):
            run.status = Status.CONVERGED
        elif idle >= PATIENCE:
            run.status = Status.STALLED
        if run.status is not None:
            break
        tell()
        if here < base_loss or refused >= REFUSALS:
            if run.passes + 2 > goal.max_passes:
                break
            if state is None:
                proposed, state = STEPS.step(None, point, residual)
                state = replace(state, start=start)
            else:  # what was taken is a share of the step that the solver knows of
                proposed, state = STEPS.step(replace(state, cotangent=share * state.cotangent), point, residual)
            run.vjps += point.vjps
            base, base_loss, step, share, refused = pixels, here, proposed - pixels, min(2 * share, 1.0), 0
            if not bool(step.isfinite().all()):
                run.status = Status.NON_FINITE
                break
        else:
            share, refused = share / 2, refused + 1
        pixels = _flip(base, step, share, start, constraints)
        if torch.equal(pixels, base):
            run.status = Status.STALLED
            break
    run.status = run.status or Status.BUDGET_EXHAUSTED
    tell()


def _flip(base: Tensor, step: Tensor, share: float, start: Tensor, constraints: Constraints) -> Tensor:
    """Move the fewest values of an 8-bit image by a level that make a share of a step's progress.

    Args:
        base: The image (1, 3, H, W), of levels.
        step: Where to, the same shape.
        share: Of the progress |step|^2.
        start: Where the match started, the same shape.
        constraints: What to keep.

    Returns:
        The next image, of levels; the same one if no value may move.
    """
    levels = (wide(base) * 255).round()
    towards = replace(constraints, l2=None).round(((levels + wide(step).sign()) / 255).to(base), start)
    progress = torch.where(towards != base, wide(step).abs(), 0.0).flatten()
    order = progress.argsort(descending=True, stable=True)
    wanted = 255 * share * wide(step).square().sum()
    count = int((progress[order].cumsum(0) < wanted).sum()) + 1
    chosen = order[:count][progress[order[:count]] > 0]
    flat = base.flatten().clone()
    flat[chosen] = towards.flatten()[chosen]
    return constraints.round(flat.view_as(base), start)
