"""A path between the images of each pair of a list: decode, go, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError
from vitequiv.images.decode import load_image
from vitequiv.matching.solver import Solver
from vitequiv.paths.api import interpolate
from vitequiv.paths.named import NamedPath
from vitequiv.results.envelope import InputRecord
from vitequiv.results.interpolate import PathResult
from vitequiv.results.names import PathKind, Reference
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.engine.task import Elsewhere, Prepared, Task, Work
from vitequiv.runs.interpolate_artifacts import write_path
from vitequiv.runs.worklist.interpolate import Ends


@dataclass(frozen=True)
class PathPlan:
    """How the pairs of a run are connected; see `vitequiv.paths.api.interpolate`.

    Args:
        path: Which way to go: of `PathKind`, or a plugin's.
        steps: Points; None for the path's default.
        match: Whose embedding a matched path keeps: `start`, `end` or an image file.
        cosine: What it keeps it to.
        solver: How it is re-matched.
        tolerance: Drift allowed to a walk in the null space.
        max_passes: Passes allowed a path.
        seed: Seed of random directions.
    """

    path: PathKind | NamedPath
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
        if self.path is PathKind.MATCHED:
            return self.cosine
        return self.tolerance if self.path is PathKind.NULL else None


def path_task(
    encoder: Encoder,
    plan: PathPlan,
    context: RunContext,
    out: RunDirectory,
    observe: Callable[[int, int], None] | None = None,
) -> Task[Ends, dict[str, Tensor], PathResult]:
    """What is done to each pair: a path from START to END is found and written.

    Args:
        encoder: The encoder.
        plan: How.
        context: What the items share.
        out: Where to write.
        observe: Told of points done and points in all.

    Returns:
        The task, for one item at a time.
    """

    def prepare(pair: Ends) -> Prepared[dict[str, Tensor]]:
        images = {role: load_image(path) for role, path in _files(pair, plan).items()}
        pixels = {role: encoder.preprocess(image.image) for role, image in images.items()}
        _require_two_images(pair, pixels)
        records = (
            InputRecord(role, str(path), images[role].sha256, images[role].notes)
            for role, path in _files(pair, plan).items()
        )
        return Prepared(tuple(records), pixels)

    work = path_work(encoder, plan, observe)
    return Task(
        context,
        lambda pair: tuple(InputRecord(role, str(path)) for role, path in _files(pair, plan).items()),
        prepare,
        work.compute,
        lambda pair, prepared, result: write_path(
            encoder, pair.name, prepared.inputs, result, plan.limit, context, out
        ),
        work.blame,
        elsewhere=Elsewhere(partial(path_work, plan=plan)),
    )


def path_work(
    encoder: Encoder, plan: PathPlan, observe: Callable[[int, int], None] | None = None
) -> Work[dict[str, Tensor], PathResult]:
    """What is done to pairs that were read.

    Args:
        encoder: The encoder.
        plan: How.
        observe: Told of points done and points in all.

    Returns:
        The work.
    """

    def go(pixels: Mapping[str, Tensor]) -> PathResult:
        return interpolate(
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

    return Work(lambda batch: [go(pixels) for pixels in batch], f"The model {encoder.spec} failed on this pair")


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
