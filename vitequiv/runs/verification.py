"""Showing saved files to the image processors that others use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.official import OfficialProcessor, embed_through
from vitequiv.images.decode import load_image
from vitequiv.matching.goal import Goal
from vitequiv.matching.objective import cosine_similarity, relative_residual
from vitequiv.results.match import MatchResult, Verified
from vitequiv.results.status import Status

if TYPE_CHECKING:
    from torch import Tensor


def verify(encoder: Encoder, result: MatchResult, seen: Mapping[Path, Tensor], goal: Goal) -> MatchResult:
    """Reload files and show them to the official processors, and take back a success that one of them does not see.

    Args:
        encoder: The encoder.
        result: A match.
        seen: The files, each with its embedding (n,) by `Encoder.preprocess`; the last one must meet the goal.
        goal: What was asked for.

    Returns:
        The match with `verified`. Cost: a forward a file and official processor.

    Raises:
        ModelError: If an official processor cannot be loaded or fails.
    """
    own = OfficialProcessor("Encoder.preprocess", "vitequiv", "pil", encoder.preprocess, exact=True)
    looks: list[tuple[Path, OfficialProcessor, Tensor]] = []
    for path, embedding in seen.items():
        image = load_image(path).image
        looks.append((path, own, embedding))
        looks += [(path, one, embed_through(encoder, one, [image])[0]) for one in encoder.tower.processors()]
    target = result.target[None]
    found, short = [], []
    for path, processor, embedding in looks:
        cosine = cosine_similarity(embedding[None], target).item()
        residual = relative_residual(embedding[None] - target, target).item()
        found.append(Verified(path.name, processor.name, processor.library, processor.backend, cosine, residual))
        if path == [*seen][-1] and not bool(goal.met(embedding[None], target)):
            short.append((cosine, processor.label))
    result = replace(result, verified=tuple(found))
    if not (goal.on_lattice and short):
        return result
    cosine, label = min(short)
    if result.status is Status.CONVERGED:
        message = f"The match was found but does not hold through {label}: the reloaded file has cosine {cosine:.4f}."
        return replace(result, status=Status.FAILED, message=message)
    if bool(goal.met([*seen.values()][-1][None], target)):
        why = f"The goal is met through vitequiv's own preprocessing, but through {label} the cosine is {cosine:.4f}."
        return replace(result, message=f"{result.message} {why}")
    return result
