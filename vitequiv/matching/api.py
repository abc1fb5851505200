"""`vitequiv.match`: pixel batches in, a list of results out."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.images.lattice import quantise
from vitequiv.matching import loop
from vitequiv.matching.constraints import BOX, SLACK, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.lattice_refinement import refine_on_lattice
from vitequiv.matching.loop import Run
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_MAX_PASSES, DEFAULT_SOLVER, LossName, Minimise, SpaceName
from vitequiv.matching.objective import cosine_similarity, relative_residual
from vitequiv.matching.perturbation import measure_perturbation
from vitequiv.matching.progress import Observer, part, phases
from vitequiv.matching.shrink import shrink
from vitequiv.matching.solver import Solver
from vitequiv.matching.solvers import make_solver
from vitequiv.matching.solvers.lbfgs import LBFGS
from vitequiv.matching.space import pictures, space_of
from vitequiv.memory import peak_memory_mb
from vitequiv.precision import wide
from vitequiv.results.cost import Cost
from vitequiv.results.match import MatchResult, Measured
from vitequiv.results.status import Status


def match(
    encoder: Encoder,
    sources: Tensor,
    targets: Tensor | None = None,
    *,
    embeddings: Tensor | None = None,
    loss: str = LossName.DISTANCE,
    solver: str | Solver = DEFAULT_SOLVER,
    step_size: float | None = None,
    cosine: float | None = DEFAULT_COSINE,
    residual: float | None = None,
    max_passes: int = DEFAULT_MAX_PASSES,
    on_lattice: bool = True,
    jpeg: int | None = None,
    linf: float | None = None,
    l2: float | None = None,
    minimise: str | None = None,
    all_pairs: bool = False,
    batch_size: int | None = None,
    space: str = SpaceName.MODEL,
    observe: Observer | None = None,
) -> list[MatchResult]:
    """Change each source until it shares its target's embedding (paper, Eq. 3 and 4).

    The pairs are optimised as batches, each ending by itself.

    Args:
        encoder: The encoder, from `load_encoder`.
        sources: Where to start, (B, 3, H, W) in [0, 1] at the encoder's input size; one (3, H, W) serves all targets.
            In image space pictures at their own resolution, all of one size.
        targets: Images whose embeddings to match, at the encoder's input size; one serves all sources.
        embeddings: In place of targets, the embeddings themselves, (B, n), or one (n,) for all sources: of a text, a
            mean, or kept from before.
        loss: `distance` (Eq. 3) or `cosine`, for embeddings whose length means nothing, such as a text's.
        solver: `nystrom`, `polyak`, `gd`, `adam`, `lbfgs`, or any object that keeps the `Solver` protocol.
        step_size: The named solver's step size; None for its default.
        cosine: Cosine similarity to reach, in (-1, 1]; None if only the residual counts.
        residual: Relative residual |f(x) - t| / |t| to come down to; None if only the cosine counts.
        max_passes: Passes allowed an image.
        on_lattice: Whether the goal must hold after rounding to 8 bits too. Where an image meets it and its rounding
            does not, the match goes on among 8-bit images (see `refine_on_lattice`; not with `jpeg` or `lbfgs`), and
            its `pixels`, `final` measures and `perturbation` are of the one that meets the goal, or comes closest.
        jpeg: Quality, 1 to 100, of a JPEG whose embedding is to match, not the pixels' own (see `through_jpeg`). The
            trajectory and the measures of embeddings are then of the image as it comes out of that JPEG.
        linf: The most that a value may change, in (0, 1], with `on_lattice` at least 1/255; None for no limit.
        l2: The most that an image may change in the Euclidean norm, above 0; None for no limit. With `on_lattice` and a
            limit, `pixels` are 8-bit images that keep it where the source is one (rounded as `Constraints.round` does);
            `final` stays what was measured before they were rounded.
        minimise: `l2` to spend what is left of `max_passes` on a smaller change once the goal is met.
        all_pairs: Whether every source is matched to every target, in place of each to its own.
        batch_size: Pairs optimised together; None for all of them. The images of a batch share sums, so another size
            changes results by rounding errors (which a long optimisation can magnify), and nothing else.
        space: `model` to change what the encoder sees, or `image` to change the picture before the checkpoint's resize
            and crop, so that its file matches through the official processors (see `matching.space.image_space`). The
            step size of `gd` then counts for what is left by the resize.
        observe: Called after each evaluation with the progress of all pairs.

    Returns:
        A result a pair, in order; with `all_pairs` source by source, that of the i-th source and the j-th of m targets
        at i * m + j. Each image among the targets is embedded once, however many pairs it is in, which `cost` leaves
        out; all else that a result's `cost` counts was for that pair alone.

    Raises:
        ValueError: If a shape, a range or an option's value is not as described.
    """
    goal = Goal(cosine=cosine, residual=residual, max_passes=max_passes, on_lattice=on_lattice)
    if isinstance(solver, str):
        solver = make_solver(solver, step_size)
    elif step_size is not None:
        raise ValueError("step_size goes with a solver's name: set it on the solver object instead.")
    if loss not in set(LossName):
        raise ValueError(f"There is no loss {loss!r}: choose from {', '.join(LossName)}.")
    if minimise is not None and minimise not in set(Minimise):
        raise ValueError(f"There is no norm {minimise!r} to minimise: choose {', '.join(Minimise)} or None.")
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, or None for all pairs at once, got {batch_size}.")
    if space not in set(SpaceName):
        raise ValueError(f"There is no space {space!r}: choose from {', '.join(SpaceName)}.")
    constraints = Constraints(linf, l2)
    if on_lattice and linf is not None and linf * 255 < 1 - SLACK:
        raise ValueError(
            f"linf must be at least 1/255 for an 8-bit image to change, got {linf}; or use on_lattice=False."
        )
    starts = pictures(encoder, sources) if space == SpaceName.IMAGE else encoder.batch(sources, "sources")
    if targets is not None and embeddings is None:
        wanted = _embed_once(encoder, encoder.batch(targets, "targets"), batch_size)
    elif embeddings is not None and targets is None:
        wanted = _vectors(encoder, embeddings)
    else:
        given = "neither" if targets is None else "both"
        raise ValueError(f"Expected either targets, which are images, or embeddings, got {given}.")
    if loss == LossName.COSINE and not bool(wanted.any(1).all()):
        raise ValueError("The embedding of a target is zero, so it has no direction to match: use loss='distance'.")
    room = space_of(encoder, SpaceName(space), starts.shape, jpeg)
    solver = room.adapt(solver)
    # What a JPEG or a resize makes of an image is seen rounded all along, and one level more or less means little.
    # L-BFGS goes on unrounded: it comes so much closer in a few steps that rounding soon has room (measured).
    hand_over = on_lattice and jpeg is None and space == SpaceName.MODEL and not isinstance(solver, LBFGS)
    left, right = (side.to(encoder.device) for side in _pair(len(starts), len(wanted), all_pairs))
    size, results = batch_size or max(len(left), 1), []
    for begin in range(0, len(left), size):
        chosen = slice(begin, begin + size)
        start, target = starts[left[chosen]], wanted[right[chosen]]
        told = observe and part(observe, begin, len(left))
        first, second = (None, None) if told is None else (told, None) if minimise is None else phases(told)
        runs = loop.minimise(
            room.embed, start, target, solver, goal, first, LossName(loss), constraints, room.saved, hand_over
        )
        if hand_over:
            refine_on_lattice(room.embed, start, target, runs, goal, first, LossName(loss), constraints)
        if minimise is not None:
            shrink(room.embed, start, target, runs, goal, second, LossName(loss), constraints, room.saved)
        if on_lattice and constraints != BOX:
            for run, x in zip(runs, start, strict=True):
                run.pixels = constraints.round(run.pixels[None], x[None])[0]
        made = (_result(run, x, t, encoder.device, constraints) for run, x, t in zip(runs, start, target, strict=True))
        results += [replace(result, space=room.name) for result in made]
    return results


def _pair(sources: int, targets: int, all_pairs: bool) -> tuple[Tensor, Tensor]:
    """Say which source and which target each pair has; a single one serves all on the other side."""
    if all_pairs:
        return torch.arange(sources).repeat_interleave(targets), torch.arange(targets).repeat(sources)
    count = max(sources, targets)
    if {sources, targets} - {1, count}:
        raise ValueError(
            f"There are {sources} sources and {targets} targets: give as many of one as of the other, or a single one, "
            "or all_pairs=True to match every source to every target."
        )
    left, right = (torch.arange(count) % side for side in (sources, targets))
    return left, right


def _embed_once(encoder: Encoder, targets: Tensor, batch_size: int | None) -> Tensor:
    size = batch_size or max(len(targets), 1)
    with torch.no_grad():
        return torch.cat([encoder.embed(targets[i : i + size]) for i in range(0, max(len(targets), 1), size)])


def _vectors(encoder: Encoder, embeddings: Tensor) -> Tensor:
    """Check embeddings and bring them to the encoder's device and dtype, (B, n)."""
    batch = embeddings[None] if embeddings.ndim == 1 else embeddings
    if batch.ndim != 2 or batch.shape[1] != encoder.embedding_dim or not batch.is_floating_point():
        raise ValueError(
            f"embeddings must be floating point of shape (B, {encoder.embedding_dim}) for {encoder.spec}, got "
            f"{embeddings.dtype} of shape {tuple(embeddings.shape)}."
        )
    if not bool(batch.isfinite().all()):
        raise ValueError("embeddings must be finite, got NaN or infinity.")
    return batch.detach().to(encoder.device, encoder.pixel_dtype).contiguous()


def _result(run: Run, start: Tensor, target: Tensor, device: torch.device, constraints: Constraints) -> MatchResult:
    status = run.status or Status.FAILED
    final = run.embedding
    first = run.trajectory[0] if run.trajectory else None
    residual = relative_residual((final - target)[None], target[None]).item()
    size = wide(target).norm().item()
    initial_residual = run.initial_distance / size if first and size else math.nan
    untouched = status is Status.CONVERGED and torch.equal(run.pixels, start)
    message = "The images match already: nothing had to change." if untouched else status.sentence
    if status is Status.STALLED and constraints != BOX:
        message = (
            "The loss stopped falling within the limits on the change before the goal was met: allow a larger one."
        )
    similarity = cosine_similarity(final[None], target[None]).item()
    refined = run.shadow is not None and torch.equal(run.pixels, quantise(run.pixels))
    ways = "allow more passes or ask for less" if constraints == BOX else "allow a larger change, or ask for less"
    if status in {Status.STALLED, Status.BUDGET_EXHAUSTED} and refined:
        message = (
            f"The goal was met, but not by an 8-bit image: the closest has cosine {similarity:.7f} and relative "
            f"residual {residual:.3g}; {ways}."
        )
    return MatchResult(
        status=status,
        message=message,
        target=target,
        start=start,
        pixels=run.pixels,
        cosine=Measured(first.cosine if first else math.nan, similarity),
        relative_residual=Measured(initial_residual, residual),
        perturbation=measure_perturbation(start, run.pixels),
        trajectory=tuple(run.trajectory),
        cost=Cost(run.forwards, run.vjps, 0, run.seconds, peak_memory_mb(device, run.graph_bytes)),
    )
