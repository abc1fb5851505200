"""A path between the images of each pair of a list: decode, go, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, VitequivError
from vitequiv.images.decode import load_image
from vitequiv.matching.solver import Solver
from vitequiv.paths.api import interpolate
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.interpolate import PathKind, Reference
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.failures import reason
from vitequiv.runs.interpolate_artifacts import write_path
from vitequiv.runs.interpolate_worklist import Ends


@dataclass(frozen=True)
class PathPlan:
    """How the pairs of a run are connected; see `vitequiv.paths.api.interpolate`.

    Args:
        path: Which way to go.
        steps: Points; None for the path's default.
        match: Whose embedding a matched path keeps: `start`, `end` or an image file.
        cosine: What it keeps it to.
        solver: How it is re-matched.
        tolerance: Drift allowed to a walk in the null space.
        max_passes: Passes allowed a path.
        seed: Seed of random directions.
    """

    path: PathKind
    steps: int | None
    match: Reference | Path
    cosine: float
    solver: Solver
    tolerance: float
    max_passes: int
    seed: int

    @property
    def limit(self) -> float | None:
        """What the path has to keep."""
        return {PathKind.MATCHED: self.cosine, PathKind.NULL: self.tolerance}.get(self.path)


def run_paths(
    encoder: Encoder,
    pairs: Sequence[Ends],
    plan: PathPlan,
    context: RunContext,
    out: RunDirectory,
    observe: Callable[[int, int], None] | None = None,
) -> Iterator[Envelope]:
    """Go from START to END for each pair and write each one's folder.

    Args:
        encoder: The encoder.
        pairs: The pairs.
        plan: How.
        context: What the items share.
        out: Where to write.
        observe: Told of points done and points in all.

    Yields:
        An envelope a pair, as it ends; one that failed has no folder, only its envelope.
    """
    for pair in pairs:
        inputs = {role: InputRecord(role, str(path)) for role, path in _files(pair, plan).items()}
        try:
            pixels: dict[str, Tensor] = {}
            for role, path in _files(pair, plan).items():
                image = load_image(path)
                inputs[role] = InputRecord(role, str(path), image.sha256, image.notes)
                pixels[role] = encoder.preprocess(image.image)
            _require_two_images(pair, pixels)
            result = interpolate(
                encoder,
                pixels["start"],
                pixels.get("end"),
                path=plan.path,
                steps=plan.steps,
                match=pixels["match"] if "match" in pixels else str(plan.match),
                cosine=plan.cosine,
                solver=plan.solver,
                tolerance=plan.tolerance,
                max_passes=plan.max_passes,
                seed=plan.seed,
                observe=observe,
            )
            yield write_path(encoder, pair.name, tuple(inputs.values()), result, plan.limit, context, out)
        except VitequivError as error:
            yield context.envelope(pair.name, Status.FAILED, error.message, tuple(inputs.values()))
        except Exception as error:
            message = f"The model {encoder.spec} failed on this pair: {reason(error)}"
            yield context.envelope(pair.name, Status.FAILED, message, tuple(inputs.values()))


def _files(pair: Ends, plan: PathPlan) -> dict[str, Path]:
    """The files of one path by what they are for."""
    match = plan.match if plan.path is PathKind.MATCHED and isinstance(plan.match, Path) else None
    roles = {"start": pair.start, "end": pair.end, "match": match}
    return {role: path for role, path in roles.items() if path is not None}


def _require_two_images(pair: Ends, pixels: Mapping[str, Tensor]) -> None:
    if "end" in pixels and torch.equal(pixels["start"], pixels["end"]):
        raise ImageError(
            f"START {pair.start} and END {pair.end} are the same image at the model's input size: there is no path "
            "between them; choose two different images."
        )
