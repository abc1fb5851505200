"""The one loop that every solver runs in: evaluation, goal, budget, best point, status."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.names import LossName
from vitequiv.matching.objective import CHARTS, cosine_similarity, squared_distance
from vitequiv.matching.progress import Observer, progress_of
from vitequiv.matching.solver import Solver, select
from vitequiv.memory import graph_memory
from vitequiv.precision import wide
from vitequiv.results.match import TrajectoryRow
from vitequiv.results.status import Status

PATIENCE = 100
"""Evaluations without progress after which an image is called stalled."""
PROGRESS = 1e-3
"""Relative fall of the loss since the last progress that counts as progress again."""
SAVING_MARGIN = 1e-3
"""Relative margin on the rounded image: embedded alone, after saving, it sums in another order than in its batch."""


@dataclass(eq=False)
class Run:
    """One image's way through the loop.

    Args:
        pixels: The best point so far, (3, H, W).
        embedding: f there, (n,).
        loss: The loss there; infinite before the first evaluation.
        initial_distance: |f - f(x_tg)| at the first finite evaluation.
        status: How it ended; None while it goes on.
        forwards: Evaluations so far.
        vjps: Products with J^T so far.
        idle: Evaluations since the last progress.
        milestone: The loss at the last progress; slow but steady descent adds up to the next one.
        graph_bytes: What the graph of its batch keeps (see `graph_memory`).
        seconds: Time from the batch's start to its end.
        trajectory: A row an evaluation.
        shadow: The point that met the goal while its rounding did not, handed over to `refine_on_lattice`; else None.
    """

    pixels: Tensor
    embedding: Tensor
    loss: float = float("inf")
    initial_distance: float = float("nan")
    status: Status | None = None
    forwards: int = 0
    vjps: int = 0
    idle: int = 0
    milestone: float = float("inf")
    graph_bytes: int = 0
    seconds: float = 0.0
    trajectory: list[TrajectoryRow] = field(default_factory=list)
    shadow: Tensor | None = None

    @property
    def passes(self) -> int:
        """Passes spent so far."""
        return self.forwards + self.vjps


def minimise(
    embed: Embed,
    start: Tensor,
    target: Tensor,
    solver: Solver,
    goal: Goal,
    observe: Observer | None = None,
    loss: LossName = LossName.DISTANCE,
    constraints: Constraints = BOX,
    saved: Sequence[Embed] = (),
    hand_over: bool = False,
) -> list[Run]:
    """Move images until their embeddings match their targets.

    Every image ends by itself: it converges, runs out of passes, stalls, or is not finite; the others go on without it.

    Args:
        embed: The map from pixels to embeddings.
        start: Starting points (B, 3, H, W) in [0, 1].
        target: Embeddings to match (B, n).
        solver: The step rule.
        goal: When to stop.
        observe: Told of the progress after each evaluation.
        loss: What to make small.
        constraints: Where the images may go, by default anywhere in the box; each point is projected there.
        saved: The maps under which the rounded images must meet the goal; by default `embed` alone.
        hand_over: Where the goal counts for the 8-bit image too: whether an image that meets it, but not when rounded,
            leaves the loop, without a status, for `refine_on_lattice`. If not, it goes on unrounded.

    Returns:
        A run an image, in order. Its point is the one that met the goal, else the one of least loss; always allowed by
        the constraints.
    """
    began, chart, saved = time.perf_counter(), CHARTS[loss], saved or (embed,)
    everyone = [
        Run(pixels=x.clone(), embedding=torch.full_like(t, torch.nan)) for x, t in zip(start, target, strict=True)
    ]
    runs, pixels, state = everyone, constraints.project(start, start), solver.init(start)
    while runs:
        with graph_memory() if runs is everyone else nullcontext() as memory:
            point = Linearisation(embed, pixels, chart)
        if memory:
            for run in runs:
                run.graph_bytes = memory.bytes
        residual = point.embedding - chart(target)
        _evaluate(runs, point, residual, start, target)
        for run, met in zip(runs, _met(saved, point, start, target, goal, runs, constraints), strict=True):
            run.shadow = run.shadow if hand_over and not met else None
            if met:
                run.status = Status.CONVERGED
            elif run.status is None and run.shadow is None:
                run.status = _given_up(run, goal, len(saved))
        if observe:
            observe(progress_of(runs, goal, everyone))
        going = torch.tensor([run.status is None and run.shadow is None for run in runs], device=pixels.device)
        if going.any():
            proposed, state = solver.step(state, point, residual)
            finite = proposed.isfinite().flatten(1).all(1)  # before the box hides an infinity
            proposed = constraints.project(proposed, start)
            stuck = (proposed == pixels).flatten(1).all(1)
            for run, is_finite, is_stuck in zip(runs, finite.tolist(), stuck.tolist(), strict=True):
                if run.status is None and run.shadow is None:
                    run.vjps += point.vjps
                    run.status = None if is_finite else Status.NON_FINITE
                    run.status = Status.STALLED if is_stuck and is_finite else run.status
            pixels, going = proposed, going & finite & ~stuck
        for run in runs:
            if run.status is not None or run.shadow is not None:
                run.seconds = time.perf_counter() - began
        runs = [run for run in runs if run.status is None and run.shadow is None]
        pixels, start, target, state = pixels[going], start[going], target[going], select(state, going)
    return everyone


def _evaluate(runs: list[Run], point: Linearisation, residual: Tensor, start: Tensor, target: Tensor) -> None:
    """Book one evaluation of each image: trajectory, best point, and whether it is finite at all."""
    losses = squared_distance(residual).tolist()
    distances = (2 * squared_distance(point.raw - target)).sqrt().tolist()
    cosines = cosine_similarity(point.raw, target).tolist()
    moved = wide((point.pixels - start).abs()).flatten(1).mean(1).tolist()
    finite = (residual.isfinite().all(1) & point.pixels.isfinite().flatten(1).all(1)).tolist()
    for i, run in enumerate(runs):
        run.forwards += 1
        if not finite[i]:
            run.status = Status.NON_FINITE
            continue
        if not run.trajectory:
            run.initial_distance = distances[i]
        run.trajectory.append(TrajectoryRow(run.passes, losses[i], cosines[i], moved[i]))
        run.idle += 1
        if losses[i] < (1 - PROGRESS) * run.milestone:
            run.idle, run.milestone = 0, losses[i]
        if losses[i] < run.loss:
            run.loss, run.pixels, run.embedding = losses[i], point.pixels[i].clone(), point.raw[i].clone()


def _met(
    saved: Sequence[Embed],
    point: Linearisation,
    start: Tensor,
    target: Tensor,
    goal: Goal,
    runs: list[Run],
    constraints: Constraints,
) -> list[bool]:
    """Which images are done; where the goal counts for the 8-bit image, that one is embedded too."""
    met = goal.met(point.raw, target)
    if goal.on_lattice:
        affordable = torch.tensor([run.passes + len(saved) <= goal.max_passes for run in runs], device=met.device)
        met &= affordable  # without a pass left it cannot be known
    if goal.on_lattice and met.any():
        candidates = met.nonzero()[:, 0]
        rounded = constraints.round(point.pixels[candidates], start[candidates])
        met[candidates], _ = look_rounded(saved, rounded, target[candidates], goal)
        for i in candidates.tolist():
            runs[i].forwards += len(saved)
            runs[i].shadow = point.pixels[i].clone()
    for i in met.nonzero()[:, 0].tolist():
        runs[i].pixels, runs[i].embedding = point.pixels[i].clone(), point.raw[i].clone()
    return [bool(m) for m in met.tolist()]


def look_rounded(saved: Sequence[Embed], rounded: Tensor, target: Tensor, goal: Goal) -> tuple[Tensor, Tensor]:
    """Whether images rounded to 8 bits meet the goal under all maps. Cost: a forward an image and map.

    Args:
        saved: The maps.
        rounded: (B, 3, H, W), multiples of 1/255.
        target: Embeddings to match (B, n).
        goal: The goal.

    Returns:
        Booleans (B,), and the least slack (B,).
    """
    with torch.no_grad():
        seen = [embed(rounded) for embed in saved]
    met = torch.stack([goal.met(embedding, target, SAVING_MARGIN) for embedding in seen]).all(0)
    return met, torch.stack([goal.slack(embedding, target) for embedding in seen]).amin(0)


def _given_up(run: Run, goal: Goal, maps: int) -> Status | None:
    # The next step is a vjp here and a forward there, and perhaps more for the rounded image.
    if run.passes + 2 + goal.on_lattice * maps > goal.max_passes:
        return Status.BUDGET_EXHAUSTED
    return Status.STALLED if run.idle >= PATIENCE else None
