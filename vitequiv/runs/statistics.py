"""Matching random pairs in one encoder, and what comes of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, batch_size_of, settle_for
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.classification.cosine import Classifier, unit
from vitequiv.encoders.base import Encoder
from vitequiv.matching.progress import Observer
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import Envelope, InputRecord, jsonable
from vitequiv.results.names import ClassifierKind
from vitequiv.results.statistics import PairStatistics, describe
from vitequiv.results.status import Status
from vitequiv.runs.changes import NO_DIFFERENCE
from vitequiv.runs.classifiers import build_classifier
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.draw import Candidate
from vitequiv.runs.engine.loop import run_items
from vitequiv.runs.engine.task import Prepared, Task
from vitequiv.runs.interrupt import check
from vitequiv.runs.meanings import meanings
from vitequiv.runs.statistics_artifacts import write_statistics
from vitequiv.runs.statistics_pairs import Look, StatisticsPlan, look_at, match_batch
from vitequiv.runs.statistics_parts import MatchedPair, Parts
from vitequiv.runs.worklist.items import ModelItem


def run_statistics(
    encoder: Encoder,
    item: str,
    plan: StatisticsPlan,
    context: RunContext,
    out: RunDirectory,
    observe: Observer | None = None,
    resume: bool = False,
) -> Envelope:
    """Match all pairs and write one folder.

    Args:
        encoder: The encoder.
        item: Name of the folder.
        plan: The pairs and how to match them.
        context: What goes into the envelope.
        out: Where to write.
        observe: Told of the progress of each batch.
        resume: Whether to go on from the pairs that an interrupted run has left.

    Returns:
        The envelope; its status is `failed` if a pair could not be measured, which leaves the others standing.
    """
    (envelope,) = run_items([ModelItem(item)], statistics_task(encoder, plan, context, out, observe, resume))
    return envelope


@dataclass(frozen=True, eq=False)
class Measured:
    """The pairs of one model.

    Args:
        looks: What is seen in each image, or why it cannot be used.
        pairs: The pairs.
        cost: What it took.
    """

    looks: Mapping[Candidate, Look | str]
    pairs: Sequence[MatchedPair]
    cost: Cost


def statistics_task(
    encoder: Encoder,
    plan: StatisticsPlan,
    context: RunContext,
    out: RunDirectory,
    observe: Observer | None = None,
    resume: bool = False,
) -> Task[ModelItem, ModelItem, Measured]:
    """What is done with one model: all pairs are matched, and one folder is written.

    Args:
        encoder: The encoder.
        plan: The pairs and how to match them; the classifier is made here, for what is wrong with it is wrong with the
            whole run.
        context: What goes into the envelope.
        out: Where to write.
        observe: Told of the progress of each batch.
        resume: Whether to go on from the pairs that an interrupted run has left.

    Returns:
        The task, for one item, the model's.
    """
    size = batch_size_of(plan.batch_size)
    settle_for(size, encoder)
    classifier, examples = _classifier(encoder, plan, size)
    images = list(dict.fromkeys(candidate for pair in plan.pairs for candidate in pair))
    inputs = (*(InputRecord("image", str(candidate.path)) for candidate in images), *examples)

    def measure() -> Measured:
        began = time.perf_counter()
        looks = _look(encoder, classifier, images, size)
        parts = Parts(out, _key(context, classifier, examples), _identities(plan, looks), encoder.device, resume)
        pairs = _match_pairs(encoder, classifier, looks, plan, size, parts, observe)
        forwards = len(images) * (1 + (classifier.forwards if classifier else 0))
        return Measured(looks, pairs, _sum(forwards, [pair.cost for pair in pairs], time.perf_counter() - began))

    return Task(
        context,
        lambda _: inputs,
        lambda item: Prepared(inputs, item),
        lambda batch: [measure() for _ in batch],
        lambda item, _, found: _write(encoder, item.name, plan, classifier, examples, found, context, out),
        f"The model {encoder.spec} failed",
    )


def _key(context: RunContext, classifier: Classifier | None, examples: Sequence[InputRecord]) -> str:
    """All that decides what comes of a pair, but for its files."""
    settings = {name: setting.value for name, setting in context.settings.items() if name not in NO_DIFFERENCE}
    model = replace(context.model, spec="", checkpoint="")  # which the settings name, here in one spelling
    given = [meanings(jsonable(settings)), context.environment.device, model]
    made_of = [*given, classifier and classifier.record, [record.sha256 for record in examples]]
    return hashlib.sha256(json.dumps(jsonable(made_of), sort_keys=True).encode()).hexdigest()


def _identities(plan: StatisticsPlan, looks: Mapping[Candidate, Look | str]) -> list[str]:
    """Each pair by its files, their classes and what is in them."""

    def identity(candidate: Candidate) -> list[str | None]:
        look = looks[candidate]
        return [str(candidate.path), candidate.folder, None if isinstance(look, str) else look.record.sha256]

    return [json.dumps([identity(candidate) for candidate in pair]) for pair in plan.pairs]


def _look(
    encoder: Encoder, classifier: Classifier | None, images: Sequence[Candidate], size: BatchSize
) -> dict[Candidate, Look | str]:
    looks: dict[Candidate, Look | str] = {}
    while len(looks) < len(images):
        check()
        part = images[len(looks) : len(looks) + settle_for(size, encoder)]
        looks |= look_at(encoder, classifier, part, size)
    return looks


def _match_pairs(
    encoder: Encoder,
    classifier: Classifier | None,
    looks: dict[Candidate, Look | str],
    plan: StatisticsPlan,
    size: BatchSize,
    parts: Parts,
    observe: Observer | None,
) -> list[MatchedPair]:
    """Match all pairs in batches, those aside that an earlier run has matched; each batch is kept as it ends."""
    pairs: list[MatchedPair] = []
    while len(pairs) < len(plan.pairs):
        check()
        first = len(pairs)
        batch = parts.load(first)
        if not batch:
            drawn = plan.pairs[first : first + settle_for(size, encoder)]
            batch = list(match_batch(encoder, classifier, drawn, looks, plan, size, observe))
            parts.save(first, batch)
        pairs += batch
    return pairs


def _sum(forwards: int, costs: Sequence[Cost], seconds: float) -> Cost:
    return Cost(
        forwards + sum(cost.forwards for cost in costs),
        sum(cost.vjps for cost in costs),
        0,
        seconds,
        max((cost.peak_memory_mb for cost in costs), default=0.0),
    )


def _write(
    encoder: Encoder,
    item: str,
    plan: StatisticsPlan,
    classifier: Classifier | None,
    examples: tuple[InputRecord, ...],
    found: Measured,
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    records = [pair.record for pair in found.pairs]
    matched = {i: pair.embedding for i, pair in enumerate(found.pairs) if pair.embedding is not None}
    seen = {candidate: look for candidate, look in found.looks.items() if isinstance(look, Look)}
    inputs = (*(look.record for look in seen.values()), *examples)
    failed = [record for record in records if not record.done]
    met = sum(record.status is Status.CONVERGED for record in records)
    message = (
        f"{len(failed)} of {len(records)} pairs could not be measured; {failed[0].message}"
        if failed
        else f"All {len(records)} pairs were measured; {met} of them reached the goal."
    )
    if not matched:
        return context.envelope(item, Status.FAILED, message, inputs)
    null = _null(seen.values())
    result = PairStatistics(
        count=len(records),
        seed=plan.seed,
        different_class=plan.different_class,
        population=len(plan.candidates),
        images=len(found.looks),
        classifier=classifier.record if classifier else None,
        right=_right(seen, classifier),
        null=describe(null.tolist()),
        pairs=tuple(records),
    )
    status = Status.FAILED if failed else Status.CONVERGED
    return write_statistics(
        encoder, item, status, message, inputs, found.cost, result, null, seen, matched, context, out
    )


def _classifier(
    encoder: Encoder, plan: StatisticsPlan, size: BatchSize
) -> tuple[Classifier | None, tuple[InputRecord, ...]]:
    """The classifier asked for, or the model's own; images drawn are no prototypes of themselves."""
    choice = plan.choice
    if choice.kind is None and encoder.tower.head is None:
        folders: dict[str, list[Path]] = {}
        for candidate in plan.candidates:
            if candidate.folder is not None:
                folders.setdefault(candidate.folder, []).append(candidate.path)
        if len(folders) < 2:
            return None, ()
        drawn = {candidate.path for pair in plan.pairs for candidate in pair}
        if any(drawn.issuperset(paths) for paths in folders.values()):
            return None, ()  # nobody asked for classes, and a class without examples left must not cost the cosines
        examples = tuple((name, tuple(paths)) for name, paths in folders.items())
        choice = ClassifierChoice(ClassifierKind.PROTOTYPES, examples=examples, temperature=choice.temperature)
    drawn = {candidate.path for pair in plan.pairs for candidate in pair}
    return build_classifier(encoder, choice, size, drawn)


def _right(seen: dict[Candidate, Look], classifier: Classifier | None) -> tuple[bool, ...]:
    """Whether each drawn image's top class is its folder, for folders that the classifier has a class of that name."""
    known = {name.casefold() for name in classifier.record.labels} if classifier else set()
    return tuple(
        look.guess.label.casefold() == candidate.folder.casefold()
        for candidate, look in seen.items()
        if candidate.folder is not None and candidate.folder.casefold() in known and look.guess is not None
    )


def _null(seen: Iterable[Look]) -> Tensor:
    """Cosines of all unordered pairs of different drawn images."""
    embeddings = unit(torch.stack([look.embedding for look in seen]))
    first, second = torch.triu_indices(len(embeddings), len(embeddings), offset=1, device=embeddings.device)
    return (embeddings @ embeddings.T)[first, second]
