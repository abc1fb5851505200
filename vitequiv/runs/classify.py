"""What a classifier sees in each image of a list, in one encoder: decode, classify, compare before and after, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, batch_size_of, settle_for
from vitequiv.classification.api import apply
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.classification.cosine import Classifier
from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, VitequivError
from vitequiv.images.decode import load_image
from vitequiv.images.naming import shown
from vitequiv.images.save import save_tensors
from vitequiv.matching.objective import cosine_similarity
from vitequiv.results.artifacts import CLASSIFY as ARTIFACTS
from vitequiv.results.classify import Classification, ImageRow, MatchRow
from vitequiv.results.classify_record import ClassifyRecord, FailureRecord
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import Envelope, InputRecord, jsonable
from vitequiv.results.names import ClassifierKind
from vitequiv.results.status import Status
from vitequiv.runs.classifiers import build_classifier
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.engine.loop import run_items
from vitequiv.runs.engine.task import Prepared, Task
from vitequiv.runs.failures import explain
from vitequiv.runs.figures import Figures
from vitequiv.runs.interrupt import check
from vitequiv.runs.worklist.classify import MATCHED, SOURCE, TARGET, ClassifyWork, MatchRows, Row
from vitequiv.runs.worklist.items import ModelItem

WORDS = {
    ClassifierKind.ZERO_SHOT: "text (zero-shot)",
    ClassifierKind.HEAD: "its own head",
    ClassifierKind.PROTOTYPES: "prototypes",
}


@dataclass(frozen=True, eq=False)
class _Seen:
    """A row with its class probabilities; `failure` in place of them if it could not be classified."""

    row: Row
    record: InputRecord
    result: Classification | None = None
    failure: str = ""


def run_classify(
    encoder: Encoder,
    item: str,
    work: ClassifyWork,
    choice: ClassifierChoice,
    batch_size: int | BatchSize | None,
    context: RunContext,
    out: RunDirectory,
    observe: Callable[[int, int], None] | None = None,
) -> Envelope:
    """Classify all images and write one folder with the matrix.

    Args:
        encoder: The encoder.
        item: Name of the folder.
        work: The images.
        choice: The classifier.
        batch_size: Images at once; fewer where they do not fit into the memory; None to choose.
        context: What goes into the envelope.
        out: Where to write.
        observe: Told of images done and images in all.

    Returns:
        The envelope; without a result, and with nothing written, if no image could be classified.
    """
    task = classify_task(encoder, work, choice, batch_size, context, out, observe)
    (envelope,) = run_items([ModelItem(item)], task)
    return envelope


def classify_task(
    encoder: Encoder,
    work: ClassifyWork,
    choice: ClassifierChoice,
    batch_size: int | BatchSize | None,
    context: RunContext,
    out: RunDirectory,
    observe: Callable[[int, int], None] | None = None,
) -> Task[ModelItem, ClassifyWork, list[_Seen]]:
    """What is done with one model: all images are classified, and one folder is written.

    Args:
        encoder: The encoder.
        work: The images.
        choice: The classifier; made here, for what is wrong with it is wrong with the whole run.
        batch_size: Images at once; fewer where they do not fit into the memory; None to choose.
        context: What goes into the envelope.
        out: Where to write.
        observe: Told of images done and images in all.

    Returns:
        The task, for one item, the model's.
    """
    size = batch_size_of(batch_size)
    settle_for(size, encoder)
    classifier, examples = build_classifier(encoder, choice, size)

    def look(work: ClassifyWork) -> list[_Seen]:
        seen: list[_Seen] = []
        while len(seen) < len(work.rows):
            check()
            part = work.rows[len(seen) : len(seen) + settle_for(size, encoder)]
            seen += _look(encoder, classifier, part, size)
            if observe:
                observe(len(seen), len(work.rows))
        return seen

    inputs = (*(InputRecord(row.role, str(row.path)) for row in work.rows), *examples)
    return Task(
        context,
        lambda _: inputs,
        lambda _: Prepared(inputs, work),
        lambda batch: [look(work) for work in batch],
        lambda item, _, seen: _write(encoder, item.name, work, seen, examples, context, out),
        f"The model {encoder.spec} failed",
    )


def _write(
    encoder: Encoder,
    item: str,
    work: ClassifyWork,
    seen: Sequence[_Seen],
    examples: tuple[InputRecord, ...],
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    inputs = (*(one.record for one in seen), *examples)
    failures = [*((one.row.name, one.failure) for one in seen if one.failure), *work.failures]
    good = {i: one for i, one in enumerate(seen) if one.result}
    if not good:
        return context.envelope(item, Status.FAILED, _sentence(failures, len(seen) + len(work.failures)), inputs)
    result = _join([one.result for one in good.values() if one.result])
    place = {i: number for number, i in enumerate(good)}
    compared = [_compare(match, place, result) for match in work.matches if set(match.indices) <= set(place)]
    best = result.best()
    rows = [ImageRow(s.row.name, str(s.row.path), s.row.role, b) for s, b in zip(good.values(), best, strict=True)]

    folder = out.begin(item)
    figures = Figures()
    figures.draw(ARTIFACTS["matrix"], lambda: _matrix(encoder, rows, result))
    figures.write(folder)
    tensors = {
        "probabilities": result.probabilities,
        "logits": result.logits,
        "embeddings": result.embeddings,
    }
    save_tensors(
        folder / ARTIFACTS["tensors"], tensors, {"spec": encoder.spec, "weights_sha256": encoder.weights_sha256}
    )
    record = ClassifyRecord(
        classifier=result.classifier,
        images=tuple(rows),
        probabilities=tuple(tuple(row) for row in result.probabilities.tolist()),
        matches=tuple(row.record() for row in compared),
        failures=tuple(FailureRecord(name, message) for name, message in failures),
    )
    envelope = context.envelope(
        item,
        Status.FAILED if failures else Status.CONVERGED,
        _sentence(failures, len(seen) + len(work.failures)),
        inputs,
        cost=result.cost,
        result=jsonable(record),
        artifacts=figures.artifacts(ARTIFACTS),
        notes=figures.notes,
    )
    out.finish(envelope)
    return envelope


def _matrix(encoder: Encoder, rows: Sequence[ImageRow], result: Classification) -> bytes:
    from vitequiv.plots.classify import matrix_png

    title = f"{encoder.spec}: classes by {WORDS[result.classifier.kind]}"
    originals = sum(row.role != MATCHED for row in rows)
    return matrix_png([row.name for row in rows], result.labels, result.probabilities, title, originals)


def _sentence(failures: Sequence[tuple[str, str]], total: int) -> str:
    if not failures:
        return "Every image was classified."
    return f"{len(failures)} of {total} could not be classified; {failures[0][0]}: {failures[0][1]}"


def _look(encoder: Encoder, classifier: Classifier, rows: Sequence[Row], size: BatchSize) -> list[_Seen]:
    """Decode and classify some rows together; one by one if the model fails on them, to know on which."""
    seen: list[_Seen] = []
    pixels: list[Tensor] = []
    for row in rows:
        try:
            if row.sha256 is None and row.role in {SOURCE, TARGET}:
                raise ImageError(
                    f"{shown(row.path)} is named by a match without its digest, so that it may be any file: run the "
                    "match again."
                )
            image = load_image(row.path, row.sha256)
            pixels.append(encoder.preprocess(image.image))
            seen.append(_Seen(row, InputRecord(row.role, str(row.path), image.sha256, image.notes)))
        except VitequivError as error:
            seen.append(_Seen(row, InputRecord(row.role, str(row.path)), failure=error.message))
    results = iter(_classify(encoder, classifier, pixels, size))
    done = []
    for one in seen:
        result = one.failure or next(results)
        if isinstance(result, str):
            done.append(_Seen(one.row, one.record, failure=result))
        else:
            done.append(_Seen(one.row, one.record, result))
    return done


def _classify(
    encoder: Encoder, classifier: Classifier, pixels: list[Tensor], size: BatchSize
) -> list[Classification | str]:
    if not pixels:
        return []
    result, failure = None, ""
    try:
        result = apply(encoder, classifier, torch.stack(pixels), size)
    except Exception as error:
        failure = explain(error, f"The model {encoder.spec} failed on this image")
    if result is None:  # out of the handler, for the error's traceback holds the tensors
        if len(pixels) == 1:
            return [failure]
        return [one for x in pixels for one in _classify(encoder, classifier, [x], size)]
    share = Cost(
        forwards=result.cost.forwards // len(pixels),
        seconds=result.cost.seconds / len(pixels),
    )
    finite = result.probabilities.isfinite().all(1).tolist()
    return [
        Classification(
            result.classifier,
            result.logits[i : i + 1],
            result.probabilities[i : i + 1],
            result.embeddings[i : i + 1],
            share,
        )
        if finite[i]
        else f"The model {encoder.spec} gives NaN or infinity for this image: try --dtype float32 or float64."
        for i in range(len(pixels))
    ]


def _join(results: list[Classification]) -> Classification:
    return Classification(
        classifier=results[0].classifier,
        logits=torch.cat([r.logits for r in results]),
        probabilities=torch.cat([r.probabilities for r in results]),
        embeddings=torch.cat([r.embeddings for r in results]),
        cost=Cost(forwards=sum(r.cost.forwards for r in results), seconds=sum(r.cost.seconds for r in results)),
    )


def _compare(match: MatchRows, place: Mapping[int, int], result: Classification) -> MatchRow:
    """What the match does here; `place` says where the rows of the work are in the result."""
    best = [guesses[0] for guesses in result.best(1)]
    source = None if match.source is None else place[match.source]
    target = None if match.target is None else place[match.target]
    matched = place[match.matched]

    def cosine(row: int | None) -> float | None:
        if row is None or target is None:
            return None
        return float(cosine_similarity(result.embeddings[[row]], result.embeddings[[target]]))

    return MatchRow(
        name=match.match.name,
        folder=str(match.match.folder),
        matched_in=match.match.matched_in,
        before=None if source is None else best[source],
        after=best[matched],
        target=None if target is None else best[target],
        cosine_before=cosine(source),
        cosine_after=cosine(matched),
    )
