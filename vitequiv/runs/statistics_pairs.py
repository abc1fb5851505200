"""Looking at drawn images and matching batches of pairs, so that one failure never stops the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, in_batches
from vitequiv.classification.api import apply, embed_all
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.classification.cosine import Classifier
from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, VitequivError
from vitequiv.images.decode import load_image
from vitequiv.images.lattice import quantise
from vitequiv.images.naming import shown
from vitequiv.matching.api import match
from vitequiv.matching.goal import Goal
from vitequiv.matching.objective import cosine_similarity
from vitequiv.matching.progress import Observer
from vitequiv.matching.solver import Solver
from vitequiv.results.classify import Guess
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import InputRecord
from vitequiv.results.match import MatchResult
from vitequiv.results.statistics import PairRecord
from vitequiv.results.status import Status
from vitequiv.runs.draw import Candidate
from vitequiv.runs.failures import explain
from vitequiv.runs.statistics_parts import MatchedPair

Drawn = tuple[Candidate, Candidate]
_Outcome = tuple[MatchResult | str, Tensor, Guess | None]
"""How a match ended or why it could not be made, the embedding of its 8-bit result, and the class seen there."""


@dataclass(frozen=True)
class StatisticsPlan:
    """How pairs are drawn, matched and classified.

    Args:
        pairs: The pairs drawn.
        candidates: What they were drawn from.
        seed: What drew them.
        different_class: Whether only pairs across classes could be drawn.
        choice: The classifier; without a kind, each model's own: its head, else prototypes of the class folders, else
            none.
        solver: The step rule.
        goal: When to stop.
        batch_size: Images at once; fewer where they do not fit into the memory; None to choose.
    """

    pairs: Sequence[Drawn]
    candidates: Sequence[Candidate]
    seed: int
    different_class: bool
    choice: ClassifierChoice
    solver: Solver
    goal: Goal
    batch_size: int | BatchSize | None


@dataclass(frozen=True, eq=False)
class Look:
    """A drawn image as the encoder sees it.

    Args:
        record: The file.
        embedding: (n,).
        guess: Its top class; None without a classifier.
    """

    record: InputRecord
    embedding: Tensor
    guess: Guess | None


def look_at(
    encoder: Encoder, classifier: Classifier | None, images: Sequence[Candidate], size: BatchSize
) -> dict[Candidate, Look | str]:
    """Embed and classify some images.

    Args:
        encoder: The encoder.
        classifier: The classifier; None for none.
        images: The images.
        size: How many of them at once.

    Returns:
        What is seen in each; a sentence in place of one that cannot be used.
    """
    found: dict[Candidate, Look | str] = {}
    pixels: dict[Candidate, tuple[InputRecord, Tensor]] = {}
    for candidate in images:
        try:
            image = load_image(candidate.path)
            record = InputRecord("image", str(candidate.path), image.sha256, image.notes)
            pixels[candidate] = record, encoder.preprocess(image.image)
        except VitequivError as error:
            found[candidate] = error.message
    if not pixels:
        return found
    seen, failure = None, ""
    try:
        seen = _see(encoder, classifier, torch.stack([x for _, x in pixels.values()]), size)
    except Exception as error:
        failure = explain(error, f"The model {encoder.spec} failed on an image")
    if seen is None:  # out of the handler, for the error's traceback holds the tensors
        if len(pixels) == 1:
            return found | dict.fromkeys(pixels, failure)
        for candidate in pixels:
            found |= look_at(encoder, classifier, [candidate], size)
        return found
    embeddings, guesses = seen
    for (candidate, (record, _)), embedding, guess in zip(pixels.items(), embeddings, guesses, strict=True):
        found[candidate] = Look(record, embedding, guess)
    return found


def _see(
    encoder: Encoder, classifier: Classifier | None, pixels: Tensor, size: BatchSize
) -> tuple[Tensor, list[Guess | None]]:
    if classifier is None:
        return embed_all(encoder, pixels, size), [None] * len(pixels)
    result = apply(encoder, classifier, pixels, size)
    return result.embeddings, [best[0] if best else None for best in result.best(1)]


def match_batch(
    encoder: Encoder,
    classifier: Classifier | None,
    pairs: Sequence[Drawn],
    looks: dict[Candidate, Look | str],
    plan: StatisticsPlan,
    size: BatchSize,
    observe: Observer | None,
) -> Iterator[MatchedPair]:
    """Match pairs as one batch.

    Args:
        encoder: The encoder.
        classifier: The classifier; None for none.
        pairs: The pairs.
        looks: What is seen in each image of theirs, or why it cannot be used.
        plan: How to match.
        size: How many of them at once.
        observe: Told of the progress.

    Yields:
        Each pair.
    """
    ready = [pair for pair in pairs if all(isinstance(looks[candidate], Look) for candidate in pair)]
    done = iter(_match_all(encoder, classifier, ready, looks, plan, size, observe))
    for source, target in pairs:
        first, second = looks[source], looks[target]
        names = (str(source.path), str(target.path), source.folder, target.folder)
        if isinstance(first, str) or isinstance(second, str):
            message = first if isinstance(first, str) else str(second)
            yield MatchedPair(PairRecord(*names, Status.FAILED, message), None, Cost())
            continue
        result, embedding, guess = next(done)
        before = float(cosine_similarity(first.embedding[None], second.embedding[None]))
        if isinstance(result, str):
            yield MatchedPair(PairRecord(*names, Status.FAILED, result, cosine_before=before), None, Cost())
            continue
        after = float(cosine_similarity(embedding[None], second.embedding[None]))
        record = PairRecord(
            *names,
            status=result.status,
            message=result.message,
            passes=result.cost.passes,
            cosine_before=before,
            cosine_after=after,
            before=first.guess,
            after=guess,
            target_class=second.guess,
            perturbation=result.perturbation,
        )
        extra = 2 + (classifier.forwards if classifier else 0)  # the target's embedding, and the look at the result
        cost = Cost(result.cost.forwards + extra, result.cost.vjps, 0, 0.0, result.cost.peak_memory_mb)
        yield MatchedPair(record, embedding, cost)


def _match_all(
    encoder: Encoder,
    classifier: Classifier | None,
    pairs: Sequence[Drawn],
    looks: dict[Candidate, Look | str],
    plan: StatisticsPlan,
    size: BatchSize,
    observe: Observer | None,
) -> list[_Outcome]:
    """Match as one batch; if that raises, one by one, so that only the guilty pair fails, with its reason."""

    def match_some(pairs: Sequence[Drawn]) -> list[_Outcome]:
        sources, targets = (
            torch.stack([_pixels(encoder, pair[side], looks[pair[side]]) for pair in pairs]) for side in (0, 1)
        )
        results = match(
            encoder,
            sources,
            targets,
            solver=plan.solver,
            cosine=plan.goal.cosine,
            residual=plan.goal.residual,
            max_passes=plan.goal.max_passes,
            on_lattice=plan.goal.on_lattice,
            observe=observe,
        )
        rounded = torch.stack([quantise(result.pixels) for result in results])
        return list(zip(results, *_see(encoder, classifier, rounded, size), strict=True))

    try:
        return [one for part in in_batches(match_some, pairs, size, "pairs") for one in part]
    except Exception as error:
        failure = explain(error, f"The model {encoder.spec} failed on a pair")
    # Out of the handler, for the error's traceback holds the tensors.
    if len(pairs) == 1:
        return [(failure, torch.empty(0), None)]
    return [one for pair in pairs for one in _match_all(encoder, classifier, [pair], looks, plan, size, observe)]


def _pixels(encoder: Encoder, candidate: Candidate, look: Look | str) -> Tensor:
    """Read an image again, which must be what was looked at: all of them together may not fit into the memory."""
    image = load_image(candidate.path)
    if isinstance(look, Look) and image.sha256 != look.record.sha256:
        raise ImageError(f"{shown(candidate.path)} has changed since the run began: leave images alone until it ends.")
    return encoder.preprocess(image.image)
