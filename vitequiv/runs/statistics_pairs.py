"""Looking at drawn images and matching batches of pairs, so that one failure never stops the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.classification.api import apply, embed_all
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.classification.cosine import Classifier
from vitequiv.encoders.base import Encoder
from vitequiv.errors import VitequivError
from vitequiv.images.decode import load_image
from vitequiv.images.lattice import quantise
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
from vitequiv.runs.failures import reason

Drawn = tuple[Candidate, Candidate]


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
        batch_size: Images at once.
    """

    pairs: Sequence[Drawn]
    candidates: Sequence[Candidate]
    seed: int
    different_class: bool
    choice: ClassifierChoice
    solver: Solver
    goal: Goal
    batch_size: int


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
    encoder: Encoder, classifier: Classifier | None, images: Sequence[Candidate]
) -> dict[Candidate, Look | str]:
    """Embed and classify some images.

    Args:
        encoder: The encoder.
        classifier: The classifier; None for none.
        images: The images.

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
    try:
        embeddings, guesses = _see(encoder, classifier, torch.stack([x for _, x in pixels.values()]))
    except Exception as error:
        if len(pixels) == 1:
            return found | dict.fromkeys(pixels, f"The model {encoder.spec} failed on an image: {reason(error)}")
        for candidate in pixels:
            found |= look_at(encoder, classifier, [candidate])
        return found
    for (candidate, (record, _)), embedding, guess in zip(pixels.items(), embeddings, guesses, strict=True):
        found[candidate] = Look(record, embedding, guess)
    return found


def _see(encoder: Encoder, classifier: Classifier | None, pixels: Tensor) -> tuple[Tensor, list[Guess | None]]:
    if classifier is None:
        return embed_all(encoder, pixels, len(pixels)), [None] * len(pixels)
    result = apply(encoder, classifier, pixels, len(pixels))
    return result.embeddings, [best[0] if best else None for best in result.best(1)]


def match_batch(
    encoder: Encoder,
    classifier: Classifier | None,
    pairs: Sequence[Drawn],
    looks: dict[Candidate, Look | str],
    plan: StatisticsPlan,
    observe: Observer | None,
) -> Iterator[tuple[PairRecord, Tensor | None, Cost]]:
    """Match pairs as one batch.

    Args:
        encoder: The encoder.
        classifier: The classifier; None for none.
        pairs: The pairs.
        looks: What is seen in each image of theirs, or why it cannot be used.
        plan: How to match.
        observe: Told of the progress.

    Yields:
        Each pair's record, the embedding of its 8-bit result (None if it failed), and what it took.
    """
    ready = [pair for pair in pairs if all(isinstance(looks[candidate], Look) for candidate in pair)]
    done = iter(_match_all(encoder, classifier, ready, plan, observe))
    for source, target in pairs:
        first, second = looks[source], looks[target]
        names = (str(source.path), str(target.path), source.folder, target.folder)
        if isinstance(first, str) or isinstance(second, str):
            message = first if isinstance(first, str) else str(second)
            yield PairRecord(*names, Status.FAILED, message), None, Cost()
            continue
        result, embedding, guess = next(done)
        before = float(cosine_similarity(first.embedding[None], second.embedding[None]))
        if isinstance(result, str):
            yield PairRecord(*names, Status.FAILED, result, cosine_before=before), None, Cost()
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
        yield record, embedding, cost


def _match_all(
    encoder: Encoder,
    classifier: Classifier | None,
    pairs: Sequence[Drawn],
    plan: StatisticsPlan,
    observe: Observer | None,
) -> list[tuple[MatchResult | str, Tensor, Guess | None]]:
    """Match as one batch; if that raises, one by one, so that only the guilty pair fails, with its reason."""
    if not pairs:
        return []
    try:
        sources, targets = (
            torch.stack([encoder.preprocess(load_image(pair[side].path).image) for pair in pairs]) for side in (0, 1)
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
        embeddings, guesses = _see(encoder, classifier, rounded)
    except Exception as error:
        if len(pairs) == 1:
            return [(f"The model {encoder.spec} failed on a pair: {reason(error)}", torch.empty(0), None)]
        return [one for pair in pairs for one in _match_all(encoder, classifier, [pair], plan, observe)]
    return list(zip(results, embeddings, guesses, strict=True))
