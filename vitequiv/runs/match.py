"""Matching a list of pairs: decode, optimise as batches, write, re-verify; one failure never stops the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, VitequivError
from vitequiv.images.decode import DecodedImage, load_image
from vitequiv.matching.api import match
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import Observer
from vitequiv.matching.names import LossName, Minimise
from vitequiv.matching.solver import Solver
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.match import MatchResult
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.failures import reason
from vitequiv.runs.match_artifacts import require_canvas, write_match
from vitequiv.runs.targets import GivenTarget
from vitequiv.runs.worklist import Pair


@dataclass(frozen=True)
class MatchPlan:
    """How the pairs of a run are matched.

    Args:
        solver: The step rule.
        goal: When to stop.
        batch_size: Pairs optimised together.
        seed: Seed of noise starts; each item's noise also depends on its target, not on its place in the list.
        loss: What to make small.
        target: The embedding for every pair; None if each has its own image.
        jpeg: Quality of the JPEG that is to meet the goal, 1 to 100; None for the pixels themselves.
        constraints: How far from its source a match may go.
        minimise: What to make small once the goal is met.
    """

    solver: Solver
    goal: Goal
    batch_size: int
    seed: int
    loss: LossName = LossName.DISTANCE
    target: GivenTarget | None = None
    jpeg: int | None = None
    constraints: Constraints = BOX
    minimise: Minimise | None = None


@dataclass(frozen=True, eq=False)
class _Prepared:
    pair: Pair
    inputs: tuple[InputRecord, ...]
    source: Tensor
    target: Tensor | None


def run_matches(
    encoder: Encoder,
    pairs: Sequence[Pair],
    plan: MatchPlan,
    context: RunContext,
    out: RunDirectory,
    observe: Observer | None = None,
) -> Iterator[Envelope]:
    """Match pairs and write each one's folder.

    Args:
        encoder: The encoder.
        pairs: What to match.
        plan: How.
        context: What the items share.
        out: Where to write.
        observe: Told of the progress of each batch.

    Yields:
        An envelope a pair, as it ends; an item that failed has no folder, only its envelope.
    """
    require_canvas(encoder)
    queue = iter(pairs)
    while chunk := list(islice(queue, min(plan.batch_size, len(pairs)))):
        entries: list[_Prepared | Envelope] = []
        for pair in chunk:
            try:
                entries.append(_prepare(encoder, pair, plan))
            except VitequivError as error:
                entries.append(context.envelope(pair.name, Status.FAILED, error.message, _named_inputs(pair, plan)))
        matched = _match_all(encoder, [entry for entry in entries if isinstance(entry, _Prepared)], plan, observe)
        for entry in entries:
            if isinstance(entry, Envelope):
                yield entry
                continue
            item, result = next(matched)
            if isinstance(result, MatchResult):
                try:
                    yield write_match(
                        encoder, item.pair.name, item.inputs, result, plan.goal, context, out, plan.loss, plan.jpeg
                    )
                except VitequivError as error:
                    yield context.envelope(item.pair.name, Status.FAILED, error.message, item.inputs)
                except Exception as error:
                    message = f"The match was found but could not be written: {reason(error)}"
                    yield context.envelope(item.pair.name, Status.FAILED, message, item.inputs)
            else:
                yield context.envelope(item.pair.name, Status.FAILED, result, item.inputs)


def _match_all(
    encoder: Encoder, prepared: list[_Prepared], plan: MatchPlan, observe: Observer | None
) -> Iterator[tuple[_Prepared, MatchResult | str]]:
    """Match as one batch; if that raises, one by one, so that only the guilty item fails, with its reason."""
    if not prepared:
        return
    try:
        targets = [item.target for item in prepared if item.target is not None]
        results = match(
            encoder,
            torch.stack([item.source for item in prepared]),
            torch.stack(targets) if targets else None,
            embeddings=plan.target.embedding if plan.target else None,
            loss=plan.loss,
            solver=plan.solver,
            cosine=plan.goal.cosine,
            residual=plan.goal.residual,
            max_passes=plan.goal.max_passes,
            on_lattice=plan.goal.on_lattice,
            jpeg=plan.jpeg,
            linf=plan.constraints.linf,
            l2=plan.constraints.l2,
            minimise=plan.minimise,
            observe=observe,
        )
    except Exception as error:
        if len(prepared) == 1:
            yield prepared[0], f"The model {encoder.spec} failed on this pair: {reason(error)}"
            return
        for item in prepared:
            yield from _match_all(encoder, [item], plan, observe)
        return
    yield from zip(prepared, results, strict=True)


def _prepare(encoder: Encoder, pair: Pair, plan: MatchPlan) -> _Prepared:
    """Decode and preprocess one pair; an `ImageError` if a file cannot be used or both show the same image."""
    target_pixels = None
    if pair.target is not None:
        target = load_image(pair.target)
        target_pixels = encoder.preprocess(target.image)
        records, key = [_record("target", pair.target, target)], target.sha256
    elif plan.target is not None:
        records, key = list(plan.target.inputs), plan.target.key
    else:
        raise ValueError(f"The pair {pair.name} has no target, and neither has the plan.")
    if pair.source is None:
        source_pixels = noise(encoder, plan.seed, key)
    else:
        source = load_image(pair.source)
        source_pixels = encoder.preprocess(source.image)
        records.insert(0, _record("source", pair.source, source))
        if target_pixels is not None and torch.equal(source_pixels, target_pixels):
            raise ImageError(
                f"The source {pair.source} and the target {pair.target} are the same image at the model's input size: "
                "there is nothing to match; choose two different images."
            )
    return _Prepared(pair, tuple(records), source_pixels, target_pixels)


def noise(encoder: Encoder, seed: int, key: str) -> Tensor:
    """Draw a random image (paper, Fig. 13).

    Args:
        encoder: For the size.
        seed: The run's seed.
        key: The item's own contribution to the seed.

    Returns:
        (3, H, W), independent uniform multiples of 1/255 in [0, 1].
    """
    mixed = int.from_bytes(hashlib.sha256(f"{seed} {key}".encode()).digest()[:8], "big") >> 1
    generator = torch.Generator().manual_seed(mixed)
    levels = torch.randint(0, 256, (3, *encoder.input_size), generator=generator)
    return levels.to(encoder.pixel_dtype).div(255)


def _record(role: str, path: Path, image: DecodedImage) -> InputRecord:
    return InputRecord(role, str(path), image.sha256, image.notes)


def _named_inputs(pair: Pair, plan: MatchPlan) -> tuple[InputRecord, ...]:
    source = () if pair.source is None else (InputRecord("source", str(pair.source)),)
    given = plan.target.inputs if plan.target else (InputRecord("target", str(pair.target)),)
    return (*source, *given)
