"""What is done on the device to the pairs of a run, in whichever process has an encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vitequiv.batching import image_bytes
from vitequiv.encoders.base import Encoder
from vitequiv.errors import VitequivError
from vitequiv.matching.api import match
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.names import LossName, Minimise, SpaceName
from vitequiv.matching.progress import Observer
from vitequiv.matching.solver import Solver
from vitequiv.matching.space import space_of
from vitequiv.results.match import MatchResult
from vitequiv.runs.engine.task import Failure, Work
from vitequiv.runs.seen import Seen, SeenImage
from vitequiv.runs.target_choice import TextTarget
from vitequiv.runs.targets import GivenTarget
from vitequiv.runs.worklist.items import Pair


@dataclass(frozen=True)
class MatchPlan:
    """How the pairs of a run are matched.

    Args:
        solver: The step rule.
        goal: When to stop.
        batch_size: Pairs optimised together; None to choose from the free memory.
        seed: Seed of noise starts; each item's noise also depends on its target, not on its place in the list.
        loss: What to make small.
        text_loss: The same for a pair whose own target is a text.
        target: The embedding for every pair; None if each has its own target.
        jpeg: Quality of the JPEG that is to meet the goal, 1 to 100; None for the pixels themselves.
        constraints: How far from its source a match may go.
        minimise: What to make small once the goal is met.
        space: Which pixels to change.
    """

    solver: Solver
    goal: Goal
    batch_size: int | None
    seed: int
    loss: LossName = LossName.DISTANCE
    text_loss: LossName = LossName.COSINE
    target: GivenTarget | None = None
    jpeg: int | None = None
    constraints: Constraints = BOX
    minimise: Minimise | None = None
    space: SpaceName = SpaceName.MODEL


@dataclass(frozen=True, eq=False)
class PairPixels:
    """A pair to match.

    Args:
        pair: The pair.
        start: The image to start from, (3, H, W), in the plan's space; None for noise.
        target: The target as far as it is known: an image, or what is ready to be matched to; None for what the work
            finds by itself, from the pair or the plan.
    """

    pair: Pair
    start: Tensor | None
    target: SeenImage | GivenTarget | Failure | None = None


@dataclass(frozen=True, eq=False)
class Matched:
    """A pair that was matched.

    Args:
        target: What it was matched to.
        result: How it went.
    """

    target: GivenTarget
    result: MatchResult


def match_work(
    encoder: Encoder, plan: MatchPlan, seen: Seen | None = None, observe: Observer | None = None
) -> Work[PairPixels, Matched]:
    """What is done to pairs that were read: those of one loss and one size of image are matched as one tensor.

    Args:
        encoder: The encoder.
        plan: How.
        seen: Keeps the targets; None for a place of its own.
        observe: Told of the progress of each batch.

    Returns:
        The work.
    """
    seen = seen or Seen(encoder)

    def compute(batch: Sequence[PairPixels]) -> list[Matched | Failure]:
        targets = [_target(data, plan, seen, encoder.device) for data in batch]
        found: list[Matched | Failure] = [one if isinstance(one, Failure) else Failure("") for one in targets]
        alike: dict[tuple[LossName, torch.Size], list[tuple[int, Tensor, GivenTarget]]] = {}
        for i, (data, target) in enumerate(zip(batch, targets, strict=True)):
            if isinstance(target, GivenTarget):
                start = _start(encoder, plan, data, target)
                alike.setdefault((loss_of(data.pair, plan), start.shape), []).append((i, start, target))
        for (loss, _), ready in alike.items():  # a tensor has one loss and one size of image
            results = match(
                encoder,
                torch.stack([start for _, start, _ in ready]),
                embeddings=torch.stack([target.embedding for _, _, target in ready]),
                loss=loss,
                solver=plan.solver,
                cosine=plan.goal.cosine,
                residual=plan.goal.residual,
                max_passes=plan.goal.max_passes,
                on_lattice=plan.goal.on_lattice,
                jpeg=plan.jpeg,
                linf=plan.constraints.linf,
                l2=plan.constraints.l2,
                minimise=plan.minimise,
                space=plan.space,
                observe=observe,
            )
            for (i, _, target), result in zip(ready, results, strict=True):
                found[i] = Matched(target, result)
        return found

    return Work(compute, f"The model {encoder.spec} failed on this pair", lambda data: _footprint(encoder, plan, data))


def pack_pair(data: PairPixels, seen: Seen) -> PairPixels:
    """Make a pair independent of this machine's files and of a text tower.

    Args:
        data: The pair.
        seen: Makes the targets.

    Returns:
        The pair, with a target that is an embedding if its own is a text or in a file.
    """
    if data.pair.given is None:
        return data
    try:
        return replace(data, target=seen.target(data.pair.given))
    except VitequivError as error:
        return replace(data, target=Failure(error.message))


def _footprint(encoder: Encoder, plan: MatchPlan, data: PairPixels) -> int:
    """Bytes that one more pair in a batch takes; see `image_bytes`."""
    pixels = noise(encoder, 0, "") if data.start is None else data.start
    embed = space_of(encoder, plan.space, pixels.shape, plan.jpeg).embed
    return image_bytes(embed, pixels.to(encoder.device))


def _target(data: PairPixels, plan: MatchPlan, seen: Seen, device: torch.device) -> GivenTarget | Failure:
    """What one pair is to be matched to, or why it cannot be."""
    pair, target = data.pair, data.target or plan.target
    try:
        if isinstance(data.target, SeenImage):
            target = seen.of_image(str(pair.target), data.target)
        elif data.target is None and pair.given is not None:
            target = seen.target(pair.given)
    except VitequivError as error:
        return Failure(error.message)
    if isinstance(target, Failure):
        return target
    if not isinstance(target, GivenTarget):
        raise ValueError(f"The pair {pair.name} has no target, and neither has the plan.")
    return replace(target, embedding=target.embedding.to(device))


def _start(encoder: Encoder, plan: MatchPlan, data: PairPixels, target: GivenTarget) -> Tensor:
    return noise(encoder, plan.seed, target.key) if data.start is None else data.start


def loss_of(pair: Pair, plan: MatchPlan) -> LossName:
    """What is made small for a pair."""
    return plan.text_loss if isinstance(pair.given, TextTarget) else plan.loss


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
