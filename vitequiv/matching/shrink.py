"""Spending the passes that are left on a smaller change, once the goal is met (`--minimise l2`)."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.box import free_part
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.loop import Run, look_rounded
from vitequiv.matching.names import LossName
from vitequiv.matching.objective import CHARTS, cosine_similarity, squared_distance
from vitequiv.matching.progress import Observer, Progress, last_medians
from vitequiv.matching.solver import dot, per_image, select
from vitequiv.precision import wide
from vitequiv.results.match import TrajectoryRow
from vitequiv.results.status import Status

FIRST_SHARE, LARGEST_SHARE = 0.1, 0.5
"""Share of the displacement across the goal's gradient that a step takes back: the first one's, and the most."""
FAILURES = 5
"""Steps in a row without a shorter change that meets the goal, after which the best point is taken up again."""
LONGEST = 0.25
"""Length of the way back to the goal, as a share of the displacement, that a step may take at most."""
MARGIN = 2e-3
"""Slack to aim at: Newton's steps come to a curved goal from outside, so that aiming at 0 would miss it every time."""
PATIENCE = 30
"""Evaluations without gain after which an image is left as it is."""
GAIN = 1e-3
"""Relative fall of the L2 that is a gain."""


@dataclass(frozen=True)
class _State:
    """The images still going; all with the batch as their first dimension.

    Args:
        start: (B, 3, H, W).
        target: (B, n).
        pixels: The points to evaluate next.
        best: The shortest change that met the goal, so far.
        size: Its L2, (B,), in wide precision; infinite before the first evaluation.
        gradient: Gradient of the goal's slack there.
        slack: The slack there (B,).
        share: Share of the displacement to take back next (B,).
        failures: Evaluations in a row that were no better (B,).
        loss: What of the slack is lost by rounding to 8 bits, as last seen (B,).
        milestone: L2 at the last gain (B,).
        idle: Evaluations since (B,).
        index: Which run (B,).
    """

    start: Tensor
    target: Tensor
    pixels: Tensor
    best: Tensor
    size: Tensor
    gradient: Tensor
    slack: Tensor
    share: Tensor
    failures: Tensor
    loss: Tensor
    milestone: Tensor
    idle: Tensor
    index: Tensor


def shrink(
    embed: Embed,
    start: Tensor,
    target: Tensor,
    runs: list[Run],
    goal: Goal,
    observe: Observer | None = None,
    loss: LossName = LossName.DISTANCE,
    constraints: Constraints = BOX,
    saved: Sequence[Embed] = (),
) -> None:
    """Make |x - start| smaller where the goal is met, keeping it met, with the passes that are left.

    The goal is one number, its slack, so keeping it needs one gradient, g = J^T (d slack / d f), and not a solver. A
    step takes back a share of e, the part of the displacement d = x - start across g, which does not change the slack
    to first order, and goes along g to where the slack is what it must be (Newton's step on one equation): damped
    sequential quadratic programming for min |d|^2 subject to slack >= 0. Where e = 0, x is a stationary point. The
    share grows while that works and halves when it does not. Cost: 2 passes a step, and 1 where the rounded image has
    to be looked at; never more than the goal's `max_passes` in all.

    Args:
        embed: The map from pixels to embeddings.
        start: Where the images started, (B, 3, H, W).
        target: Embeddings to match, (B, n).
        runs: What `minimise` found from there, with this goal. Those that converged are continued in place: their point
            is then the shortest change that met the goal, their status stays.
        goal: The goal to keep, also for the rounded image where it says so.
        observe: Told of the progress after each evaluation.
        loss: What the rows of the trajectory show.
        constraints: Where the images may go.
        saved: Maps under which the rounded images must keep the goal, by default `embed` alone.
    """
    began, saved = time.perf_counter(), saved or (embed,)
    moved = [
        run.status is Status.CONVERGED and not torch.equal(run.pixels, x) for run, x in zip(runs, start, strict=True)
    ]
    state = _first(runs, start, target, torch.tensor(moved, device=start.device))
    state = select(state, _affordable(runs, state, goal, len(saved)))
    if observe and not len(state.index):
        observe(_progress(runs, state, goal))
    while len(state.index):
        going = [runs[i] for i in state.index.tolist()]
        point = Linearisation(embed, state.pixels)
        _book(going, point, state, loss)
        state, better, gradient, slack = _judge(saved, point, state, going, goal, constraints)
        for i in better.nonzero()[:, 0].tolist():
            going[i].pixels, going[i].embedding = point.pixels[i].clone(), point.raw[i].clone()
        state = _propose(state, better, gradient, slack, constraints, goal)
        keep = (
            _affordable(runs, state, goal, len(saved))
            & (state.idle < PATIENCE)
            & state.pixels.isfinite().flatten(1).all(1)
        )
        for i in (~keep).nonzero()[:, 0].tolist():
            going[i].seconds += time.perf_counter() - began
        state = select(state, keep)
        if observe:
            observe(_progress(runs, state, goal))


def _first(runs: list[Run], start: Tensor, target: Tensor, moved: Tensor) -> _State:
    pixels = torch.stack([run.pixels for run in runs])
    zero = torch.zeros_like(wide(start[:, 0, 0, 0]))
    whole = _State(
        start=start,
        target=target,
        pixels=pixels,
        best=pixels,
        size=zero + torch.inf,
        gradient=torch.zeros_like(pixels),
        slack=zero,
        share=zero + FIRST_SHARE,
        failures=zero,
        loss=zero,
        milestone=zero + torch.inf,
        idle=zero,
        index=torch.arange(len(runs), device=start.device),
    )
    return select(whole, moved)


def _affordable(runs: list[Run], state: _State, goal: Goal, maps: int) -> Tensor:
    """Where the budget allows to evaluate, to look at the rounded image, and to pull back."""
    left = [runs[i].passes + 2 + goal.on_lattice * maps <= goal.max_passes for i in state.index.tolist()]
    return torch.tensor(left, dtype=torch.bool, device=state.index.device)


def _book(going: list[Run], point: Linearisation, state: _State, loss: LossName) -> None:
    """Write a row of each image's trajectory."""
    chart = CHARTS[loss]
    losses = squared_distance(chart(point.raw) - chart(state.target)).tolist()
    cosines = cosine_similarity(point.raw, state.target).tolist()
    moved = wide((point.pixels - state.start).abs()).flatten(1).mean(1).tolist()
    for run, *row in zip(going, losses, cosines, moved, strict=True):
        run.forwards += 1
        if all(map(math.isfinite, row)):
            run.trajectory.append(TrajectoryRow(run.passes, *row))


def _judge(
    saved: Sequence[Embed],
    point: Linearisation,
    state: _State,
    going: list[Run],
    goal: Goal,
    constraints: Constraints,
) -> tuple[_State, Tensor, Tensor, Tensor]:
    """Decide which points are better than the best so far, and differentiate the slack at each."""
    leaf = point.raw.clone().requires_grad_()
    slack = goal.slack(leaf, state.target)
    (cotangent,) = torch.autograd.grad(slack.sum(), leaf)
    slack = slack.detach()
    change = point.pixels - state.start
    size = dot(change, change).sqrt()
    better = goal.met(point.raw, state.target) & (size < state.size)
    if goal.on_lattice and better.any():
        candidates = better.nonzero()[:, 0]
        rounded = constraints.round(point.pixels[candidates], state.start[candidates])
        better[candidates], least = look_rounded(saved, rounded, state.target[candidates], goal)
        lost = state.loss.clone()
        lost[candidates] = (slack[candidates] - least).clamp_min(0)
        state = dataclasses.replace(state, loss=lost)
        for i in candidates.tolist():
            going[i].forwards += len(saved)
    gradient = point.pullback(cotangent)
    for run in going:
        run.vjps += 1
    # What ascends is blocked at the bounds of the box as a descent along its negative is.
    gradient = -free_part(-gradient, point.pixels)
    gained = better & (size < (1 - GAIN) * state.milestone)
    state = dataclasses.replace(
        state,
        best=torch.where(per_image(better), point.pixels, state.best),
        size=torch.where(better, size, state.size),
        gradient=torch.where(per_image(better), gradient, state.gradient),
        slack=torch.where(better, slack, state.slack),
        milestone=torch.where(gained, size, state.milestone),
        idle=torch.where(gained, 0, state.idle + 1),
    )
    return state, better, gradient, slack


def _propose(
    state: _State, better: Tensor, gradient: Tensor, slack: Tensor, constraints: Constraints, goal: Goal
) -> _State:
    """Take a step from each point, or from the best one where that has failed for long."""
    share = torch.where(better, state.share * 1.5, state.share / 2).clamp_max(LARGEST_SHARE)
    failures = torch.where(better, 0.0, state.failures + 1)
    back = failures >= FAILURES
    base = torch.where(per_image(back), state.best, state.pixels)
    gradient = torch.where(per_image(back), state.gradient, gradient)
    slack = torch.where(back, state.slack, slack)
    displacement = base - state.start
    squared = dot(gradient, gradient)
    inverse = torch.where(squared > 0, 1 / squared, 0.0)
    across = displacement - _images(dot(displacement, gradient) * inverse, base) * gradient
    wanted = MARGIN + state.loss
    most = LONGEST * dot(displacement, displacement).sqrt() * inverse.sqrt()
    along = ((wanted - slack) * inverse).clamp(-most, most)
    along = torch.where(along < 0, along * share, along)  # what is to spare is given back with the same caution
    proposed = base - _images(share, base) * across + _images(along, base) * gradient
    return dataclasses.replace(
        state,
        pixels=constraints.project(proposed, state.start),
        share=share,
        failures=torch.where(back, 0.0, failures),
    )


def _progress(runs: list[Run], state: _State, goal: Goal) -> Progress:
    active = state.index.tolist()
    ended = len(runs) - len(active)
    spent = sum(min(runs[i].passes / goal.max_passes, 0.99) for i in active)
    return Progress((ended + spent) / len(runs), len(active), ended, *last_medians(runs))


def _images(values: Tensor, like: Tensor) -> Tensor:
    return per_image(values.to(like))
