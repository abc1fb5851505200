"""What is measured on every path: a row a point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.objective import cosine_similarity, relative_residual
from vitequiv.paths.trace import Trace
from vitequiv.precision import wide
from vitequiv.results.interpolate import PathPoint


@dataclass(frozen=True, eq=False)
class Anchors:
    """What a path is measured against.

    Args:
        start: START's pixels, (3, H, W).
        end: END's, or None.
        start_embedding: f(START), (n,).
        end_embedding: f(END), or None.
        reference: The embedding that the path keeps, or START's.
    """

    start: Tensor
    end: Tensor | None
    start_embedding: Tensor
    end_embedding: Tensor | None
    reference: Tensor


def place(anchors: Anchors, x: Tensor) -> tuple[float | None, float | None]:
    """Where a point is between START and END.

    Args:
        anchors: START and END.
        x: (3, H, W).

    Returns:
        The share of the way by projection on END - START, and by distance to END; None for both without END.
    """
    if anchors.end is None:
        return None, None
    way = wide(anchors.end - anchors.start).flatten()
    covered = float(wide(x - anchors.start).flatten() @ way / way.square().sum())
    return covered, 1 - float(wide(x - anchors.end).norm() / way.norm())


def halfway(embed: Embed, pixels: Tensor) -> list[Tensor]:
    """Embed the points halfway between neighbours.

    Args:
        embed: The map.
        pixels: (k, 3, H, W).

    Returns:
        An embedding (n,) for each of the k - 1 pairs. Cost: k - 1 forwards, one after the other.
    """
    with torch.no_grad():
        return [embed(((a + b) / 2)[None])[0] for a, b in pairwise(pixels)]


def measure(
    anchors: Anchors,
    trace: Trace,
    places: Sequence[float],
    *,
    between: Sequence[Tensor] | None = None,
    slopes: Tensor | None = None,
) -> tuple[PathPoint, ...]:
    """Measure each point of a path.

    Args:
        anchors: What it is measured against.
        trace: The path.
        places: t of each point.
        between: Embeddings halfway between neighbours, k - 1 of (n,); None where they were not asked for.
        slopes: |J d| at each point, for a straight path between START and END; None for any other.

    Returns:
        A row a point. No passes.
    """
    f, count = trace.embeddings, len(trace.embeddings)
    nothing: list[float | None] = [None] * count
    cosine_end = nothing if anchors.end_embedding is None else cosines(f, anchors.end_embedding)
    drift_between = nothing if between is None else [None, *(residuals(e[None], anchors.reference)[0] for e in between)]
    chord = nothing
    if slopes is not None and anchors.end_embedding is not None:
        chord = [*off_chord(f, anchors.start_embedding, anchors.end_embedding)]
    columns = zip(
        trace.pixels,
        places,
        cosines(f, anchors.reference),
        residuals(f, anchors.reference),
        drift_between,
        cosines(f, anchors.start_embedding),
        cosine_end,
        [None, *speeds(trace)],
        nothing if slopes is None else slopes.tolist(),
        chord,
        trace.passes,
        strict=True,
    )
    return tuple(PathPoint(t, _l2(x, anchors.start), *place(anchors, x), *rest) for x, t, *rest in columns)


def cosines(embeddings: Tensor, reference: Tensor) -> list[float]:
    """Cosine similarity of each of (k, n) to (n,)."""
    values: list[float] = cosine_similarity(embeddings, reference.expand_as(embeddings)).tolist()
    return values


def residuals(embeddings: Tensor, reference: Tensor) -> list[float]:
    """Distance of each of (k, n) to (n,), over the norm of the latter."""
    values: list[float] = relative_residual(embeddings - reference, reference.expand_as(embeddings)).tolist()
    return values


def speeds(trace: Trace) -> list[float | None]:
    """Change of the embedding over change of the pixels from each point to the next, (k - 1); None where none moved."""
    change = wide(trace.embeddings).diff(dim=0).norm(dim=1).tolist()
    moved = wide(trace.pixels).flatten(1).diff(dim=0).norm(dim=1).tolist()
    return [df / dx if dx else None for df, dx in zip(change, moved, strict=True)]


def off_chord(embeddings: Tensor, start: Tensor, end: Tensor) -> list[float]:
    """Distance of each of (k, n) from the segment between two embeddings, over its length; NaN if that is 0."""
    offset, way = wide(embeddings - start), wide(end - start)
    share = (offset @ way / way.square().sum()).clamp(0, 1)
    values: list[float] = ((offset - share[:, None] * way).norm(dim=1) / way.norm()).tolist()
    return values


def _l2(x: Tensor, y: Tensor) -> float:
    return float(wide(x - y).norm())
