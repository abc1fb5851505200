"""`vitequiv.interpolate`: two images in, a path between them out."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.matching.goal import Goal
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_SOLVER
from vitequiv.matching.solver import Solver
from vitequiv.matching.solvers import make_solver
from vitequiv.memory import peak_memory_mb
from vitequiv.paths.defaults import DEFAULT_MAX_PASSES, DEFAULT_NULL_STEPS, DEFAULT_STEPS, DEFAULT_TOLERANCE
from vitequiv.paths.named import NamedPath
from vitequiv.paths.registered import find_path
from vitequiv.paths.ways import Observer, go_linear, go_matched, go_null, go_registered, one_image
from vitequiv.results.cost import Cost
from vitequiv.results.interpolate import PathResult
from vitequiv.results.names import PathKind, Reference


def interpolate(
    encoder: Encoder,
    start: Tensor,
    end: Tensor | None = None,
    *,
    path: str | NamedPath = PathKind.LINEAR,
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
        path: `linear`, `matched` or `null`, see `PathKind`; one that a plugin has registered, by name; or
            such a path itself.
        steps: Points, START among them, at least 2; by default 21, and for `null`, where it is a limit, 100. For a
            plugin's path it is a limit too.
        match: For `matched`: the embedding to keep, `start`, `end` or that of an image (3, H, W).
        cosine: For `matched`: cosine similarity to that embedding that every point must have, in (-1, 1].
        solver: For `matched`: how a point is re-matched, as in `vitequiv.match`.
        step_size: For `matched`: the named solver's step size; None for its default.
        tolerance: For `null`: the largest |f(x) - f(START)| / |f(START)|, in (0, 1).
        max_passes: For all but `linear`: passes allowed for the way itself. What is measured afterwards (a forward
            halfway between each two points; for `null` at most 19 along each of six straight lines) is counted in the
            cost, and comes on top.
        seed: For `null`: seed of the random directions, of the walk and of the yardstick. For a plugin's path: of
            whatever is random there.
        observe: Told of points done and points in all.

    Returns:
        The path. Cost: for `linear` 3 passes a point; for `matched` and `null` see `matched_path` and `null_walk`; for
        a plugin's see `registered_path`, and a forward for END where it does not end there.

    Raises:
        ValueError: If a shape, a range or an option's value is not as described, START and END are one image, or the
            tolerance is below rounding. An `UnknownNameError` for a path that there is not is one too.
        PluginError: If a plugin's path fails.
    """
    way = find_path(path) if isinstance(path, str) else path
    if way.name in set(PathKind) and way.points is not None:
        raise ValueError(f"The name {way.name!r} is that of a built-in path: give yours another.")
    kind = PathKind(way.name) if way.points is None else None
    if not 0 < tolerance < 1:
        raise ValueError(f"The tolerance must be in (0, 1), got {tolerance}.")
    if steps is None:
        steps = DEFAULT_NULL_STEPS if kind is PathKind.NULL else DEFAULT_STEPS
    if steps < 2:
        raise ValueError(f"A path has at least 2 points, got {steps}.")
    first = one_image(encoder, start, "start")
    last = None if end is None else one_image(encoder, end, "end")
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
        gone = go_null(encoder, first, last, steps, tolerance, max_passes, seed, observe)
    elif last is None:
        raise ValueError(f"The path {way.name} needs an END: only null can do without.")
    elif kind is PathKind.LINEAR:
        gone = go_linear(encoder, first, last, steps, observe)
    elif kind is None:
        gone = go_registered(encoder, way, first, last, steps, max_passes, seed, observe)
    else:
        solver = make_solver(solver, step_size) if isinstance(solver, str) else solver
        goal = Goal(cosine=cosine, max_passes=max_passes, on_lattice=False)
        gone = go_matched(encoder, first, last, match, steps, goal, solver, observe)
    spent = gone.trace.spent
    return PathResult(
        status=gone.trace.status,
        message=gone.trace.message,
        path=kind or way.name,
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
