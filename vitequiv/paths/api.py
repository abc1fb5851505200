"""`vitequiv.interpolate`: two images in, a path between them out."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.matching.goal import Goal
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_SOLVER
from vitequiv.matching.solver import Solver
from vitequiv.matching.solvers import make_solver
from vitequiv.memory import peak_memory_mb
from vitequiv.paths.linear import linear_path
from vitequiv.paths.matched import matched_path
from vitequiv.paths.measure import Anchors, halfway, measure
from vitequiv.paths.null_walk import null_walk
from vitequiv.paths.summary import linear_summary, matched_summary, null_summary, walked
from vitequiv.paths.trace import Trace
from vitequiv.paths.yardstick import yardstick
from vitequiv.results.cost import Cost
from vitequiv.results.interpolate import (
    DEFAULT_MAX_PASSES,
    DEFAULT_NULL_STEPS,
    DEFAULT_STEPS,
    DEFAULT_TOLERANCE,
    PathKind,
    PathPoint,
    PathResult,
    Reference,
    Summary,
)

RANDOM_DIRECTIONS = 5
"""Directions of the yardstick."""

Observer = Callable[[int, int], None]


def interpolate(
    encoder: Encoder,
    start: Tensor,
    end: Tensor | None = None,
    *,
    path: str = PathKind.LINEAR,
    steps: int | None = None,
    match: str | Tensor = Reference.START,
    cosine: float = DEFAULT_COSINE,
    solver: str | Solver = DEFAULT_SOLVER,
    step_size: float | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    max_passes: int = DEFAULT_MAX_PASSES,
    seed: int = 0,
    observe: Observer | None = None,
) -> PathResult:
    """Go from one image to another, and follow the embedding (paper, Fig. 6, 7, 11 and 12).

    Args:
        encoder: The encoder, from `load_encoder`.
        start: START, (3, H, W) in [0, 1] at the encoder's input size.
        end: END, likewise; None only for `null`, which then walks in a random direction.
        path: `linear`, `matched` or `null`; see `PathKind`.
        steps: Points, START among them, at least 2; by default 21, and for `null`, where it is a limit, 100.
        match: For `matched`: the embedding to keep, `start`, `end` or that of an image (3, H, W).
        cosine: For `matched`: cosine similarity to that embedding that every point must have, in (-1, 1].
        solver: For `matched`: how a point is re-matched, as in `vitequiv.match`.
        step_size: For `matched`: the named solver's step size; None for its default.
        tolerance: For `null`: the largest |f(x) - f(START)| / |f(START)|, in (0, 1).
        max_passes: For `matched` and `null`: passes allowed for the way itself. What is measured afterwards (a forward
            halfway between each two points; for `null` at most 19 along each of six straight lines) is counted in the
            cost, and comes on top.
        seed: For `null`: seed of the random directions, of the walk and of the yardstick.
        observe: Told of points done and points in all.

    Returns:
        The path. Cost: for `linear` 3 passes a point; for `matched` and `null` see `matched_path` and `null_walk`.

    Raises:
        ValueError: If a shape, a range or an option's value is not as described, START and END are one image, or the
            tolerance is below rounding.
    """
    if path not in set(PathKind):
        raise ValueError(f"There is no path {path!r}: choose from {', '.join(PathKind)}.")
    kind = PathKind(path)
    if not 0 < tolerance < 1:
        raise ValueError(f"The tolerance must be in (0, 1), got {tolerance}.")
    if steps is None:
        steps = DEFAULT_NULL_STEPS if kind is PathKind.NULL else DEFAULT_STEPS
    if steps < 2:
        raise ValueError(f"A path has at least 2 points, got {steps}.")
    first = _image(encoder, start, "start")
    last = None if end is None else _image(encoder, end, "end")
    if last is not None and torch.equal(first, last):
        raise ValueError("START and END are the same image: there is no path between them.")

    rounding = 10 * torch.finfo(first.dtype).eps
    if kind is PathKind.NULL and tolerance < rounding:
        raise ValueError(
            f"The tolerance {tolerance:.3g} is lost in the rounding of the embedding: take at least {rounding:.1e}, or "
            "float64."
        )

    began = time.perf_counter()
    if kind is PathKind.NULL:
        gone = _null(encoder, first, last, steps, tolerance, max_passes, seed, observe)
    elif last is None:
        raise ValueError(f"The path {kind} needs an END: only null can do without.")
    elif kind is PathKind.LINEAR:
        gone = _linear(encoder, first, last, steps, observe)
    else:
        solver = make_solver(solver, step_size) if isinstance(solver, str) else solver
        goal = Goal(cosine=cosine, max_passes=max_passes, on_lattice=False)
        gone = _matched(encoder, first, last, match, steps, goal, solver, observe)
    spent = gone.trace.spent
    return PathResult(
        status=gone.trace.status,
        message=gone.trace.message,
        path=kind,
        points=gone.points,
        summary=gone.summary,
        pixels=gone.trace.pixels,
        embeddings=gone.trace.embeddings,
        reference=gone.reference,
        end=last,
        cost=Cost(
            forwards=spent.forwards + gone.measuring,
            vjps=spent.vjps,
            jvps=spent.jvps,
            seconds=time.perf_counter() - began,
            peak_memory_mb=peak_memory_mb(encoder.device, gone.trace.graph_bytes),
        ),
    )


@dataclass(frozen=True, eq=False)
class _Gone:
    """A path with its measures, and the forwards that these took beside it."""

    trace: Trace
    points: tuple[PathPoint, ...]
    summary: Summary
    reference: Tensor
    measuring: int


def _linear(encoder: Encoder, start: Tensor, end: Tensor, steps: int, observe: Observer | None) -> _Gone:
    trace = linear_path(encoder.embed, start, end, steps, observe)
    first, last = trace.embeddings[0], trace.embeddings[-1]
    anchors = Anchors(start, end, first, last, reference=first)
    places = [i / (steps - 1) for i in range(len(trace.pixels))]
    points = measure(anchors, trace, places, slopes=trace.slopes)
    return _Gone(trace, points, linear_summary(trace, points), first, measuring=0)


def _matched(
    encoder: Encoder,
    start: Tensor,
    end: Tensor,
    match: str | Tensor,
    steps: int,
    goal: Goal,
    solver: Solver,
    observe: Observer | None,
) -> _Gone:
    images = {Reference.START: start, Reference.END: end}
    if isinstance(match, Tensor):
        which = Reference.IMAGE
        images[which] = _image(encoder, match, "match")
    elif match in images:
        which = Reference(match)
    else:
        raise ValueError(f"match is {match!r}: give start, end or an image's pixels.")
    with torch.no_grad():
        known = {name: encoder.embed(image[None])[0] for name, image in images.items()}
    first, last, reference = known[Reference.START], known[Reference.END], known[which]
    trace = matched_path(encoder.embed, start, end, reference, steps=steps, goal=goal, solver=solver, observe=observe)
    places = [i / (steps - 1) for i in range(len(trace.pixels))]
    anchors = Anchors(start, end, first, last, reference)
    points = measure(anchors, trace, places, between=halfway(encoder.embed, trace.pixels))
    straight = (1 - places[-1]) * start + places[-1] * end
    summary = matched_summary(trace, points, which, straight)
    return _Gone(trace, points, summary, reference, measuring=len(known) + len(points) - 1)


def _null(
    encoder: Encoder,
    start: Tensor,
    end: Tensor | None,
    steps: int,
    tolerance: float,
    max_passes: int,
    seed: int,
    observe: Observer | None,
) -> _Gone:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((1 + RANDOM_DIRECTIONS, *start.shape), generator=generator, dtype=torch.float64).to(start)
    # A quarter of a unit each pixel and step of full length: from mid-grey the box ends after two of them.
    way = (lambda x: end - x) if end is not None else (lambda x: noise[0] / 4)
    trace = null_walk(
        encoder.embed, start, way, steps=steps, tolerance=tolerance, max_passes=max_passes, observe=observe
    )
    reference = trace.embeddings[0]
    last = None
    if end is not None:
        with torch.no_grad():
            last = encoder.embed(end[None])[0]
    lines = yardstick(encoder.embed, start, reference, noise[1:], end, tolerance)
    along = walked(trace)
    places = (along / along[-1]).tolist() if along[-1] > 0 else [0.0] * len(along)
    anchors = Anchors(start, end, reference, last, reference)
    between = halfway(encoder.embed, trace.pixels)
    points = measure(anchors, trace, places, between=between)
    measuring = lines.forwards + len(between) + (last is not None)
    return _Gone(trace, points, null_summary(trace, points, lines), reference, measuring)


def _image(encoder: Encoder, pixels: Tensor, name: str) -> Tensor:
    """Check one image; (3, H, W) on the encoder's device."""
    if pixels.ndim != 3:
        raise ValueError(f"{name} must be one image (3, H, W), got shape {tuple(pixels.shape)}.")
    return encoder.batch(pixels, name)[0]
