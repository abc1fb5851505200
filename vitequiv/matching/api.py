"""`vitequiv.match`: pixel batches in, a list of results out."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.images.jpeg import through_jpeg
from vitequiv.images.lattice import quantise
from vitequiv.maps import Embed
from vitequiv.matching import loop
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import Observer, Progress, Run
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_MAX_PASSES, DEFAULT_SOLVER, LossName, Minimise
from vitequiv.matching.objective import cosine_similarity, relative_residual
from vitequiv.matching.shrink import shrink
from vitequiv.matching.similarity import ssim
from vitequiv.matching.solver import Solver
from vitequiv.matching.solvers import make_solver
from vitequiv.memory import peak_memory_mb
from vitequiv.precision import wide
from vitequiv.results.cost import Cost
from vitequiv.results.match import MatchResult, Measured, Perturbation
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
    observe: Observer | None = None,
) -> list[MatchResult]:
    """Change each source until it shares its target's embedding (paper, Eq. 3 and 4).

    All pairs are optimised as one batch, each ending by itself.

    Args:
        encoder: The encoder, from `load_encoder`.
        sources: Where to start, (B, 3, H, W) in [0, 1] at the encoder's input size; one (3, H, W) serves all targets.
        targets: Images whose embeddings to match, likewise; one serves all sources.
        embeddings: In place of targets, the embeddings themselves, (B, n), or one (n,) for all sources: of a text, a
            mean, or kept from before.
        loss: `distance` (Eq. 3) or `cosine`, for embeddings whose length means nothing, such as a text's.
        solver: `nystrom`, `polyak`, `gd`, `adam`, `lbfgs`, or any object that keeps the `Solver` protocol.
        step_size: The named solver's step size; None for its default.
        cosine: Cosine similarity to reach, in (-1, 1]; None if only the residual counts.
        residual: Relative residual |f(x) - t| / |t| to come down to; None if only the cosine counts.
        max_passes: Passes allowed an image.
        on_lattice: Whether the goal must hold after rounding to 8 bits too.
        jpeg: Quality, 1 to 100, of a JPEG whose embedding is to match, not the pixels' own (see `through_jpeg`). The
            trajectory and the measures of embeddings are then of the image as it comes out of that JPEG.
        linf: The most that a value may change, in (0, 1]; None for no limit. Rounding to 8 bits keeps a limit that is a
            multiple of 1/255 where the source is an 8-bit image.
        l2: The most that an image may change in the Euclidean norm, above 0; None for no limit.
        minimise: `l2` to spend what is left of `max_passes` on a smaller change once the goal is met.
        observe: Called with the progress after each evaluation.

    Returns:
        A result a pair, in order; its `cost` leaves out the one forward for the embedding of a target that is an image.

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
    constraints = Constraints(linf, l2)
    start = encoder.batch(sources, "sources")
    if targets is not None and embeddings is None:
        start, target_pixels = _pair(start, encoder.batch(targets, "targets"))
        with torch.no_grad():
            target = encoder.embed(target_pixels)
    elif embeddings is not None and targets is None:
        start, target = _pair(start, _vectors(encoder, embeddings))
    else:
        given = "neither" if targets is None else "both"
        raise ValueError(f"Expected either targets, which are images, or embeddings, got {given}.")
    if loss == LossName.COSINE and not bool(target.any(1).all()):
        raise ValueError("The embedding of a target is zero, so it has no direction to match: use loss='distance'.")
    embed = encoder.embed if jpeg is None else _embed_jpeg(encoder, jpeg)
    first, second = (None, None) if observe is None else (observe, None) if minimise is None else _phases(observe)
    runs = loop.minimise(embed, start, target, solver, goal, first, LossName(loss), constraints)
    if minimise is not None:
        shrink(embed, start, target, runs, goal, second, LossName(loss), constraints)
    return [_result(run, x, t, encoder.device, constraints) for run, x, t in zip(runs, start, target, strict=True)]


def _phases(observe: Observer) -> tuple[Observer, Observer]:
    """Tell an observer of two phases as of one: no image ends in the first."""

    def first(progress: Progress) -> None:
        every = progress.active + progress.ended
        observe(replace(progress, fraction=progress.fraction / 2, active=every, ended=0))

    def second(progress: Progress) -> None:
        observe(replace(progress, fraction=(1 + progress.fraction) / 2))

    return first, second


def _embed_jpeg(encoder: Encoder, quality: int) -> Embed:
    see = through_jpeg(encoder.preprocessing, quality)
    return lambda pixels: encoder.embed(see(pixels))


def _pair(sources: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Let one image or embedding serve all on the other side."""
    count = max(len(sources), len(targets))
    if {len(sources), len(targets)} - {1, count}:
        raise ValueError(
            f"There are {len(sources)} sources and {len(targets)} targets: "
            "give as many of one as of the other, or a single one."
        )
    # mypy takes a tuple made by a generator for one of any length.
    return tuple(side.expand(count, *side.shape[1:]).clone() for side in (sources, targets))  # type: ignore[return-value]


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
    return MatchResult(
        status=status,
        message=message,
        target=target,
        start=start,
        pixels=run.pixels,
        cosine=Measured(first.cosine if first else math.nan, cosine_similarity(final[None], target[None]).item()),
        relative_residual=Measured(initial_residual, residual),
        perturbation=measure_perturbation(start, run.pixels),
        trajectory=tuple(run.trajectory),
        cost=Cost(run.forwards, run.vjps, 0, run.seconds, peak_memory_mb(device, run.graph_bytes)),
    )


def measure_perturbation(start: Tensor, pixels: Tensor) -> Perturbation:
    """Measure a change of pixels.

    Args:
        start: (3, H, W) in [0, 1].
        pixels: The same shape.

    Returns:
        Norms of the change, in [0, 1] and in 8-bit levels (both images rounded).
    """
    change = wide(pixels - start)
    levels = (wide(quantise(pixels) - quantise(start)) * 255).round()
    mean_square = levels.square().mean().item()
    return Perturbation(
        l2=change.norm().item(),
        mean_abs=change.abs().mean().item(),
        linf=change.abs().max().item(),
        mean_abs_8bit=levels.abs().mean().item(),
        linf_8bit=int(levels.abs().max().item()),
        psnr_db=10 * math.log10(255**2 / mean_square) if mean_square else math.inf,
        ssim=ssim(start, pixels),
    )
