"""Matching a list of pairs: decode, optimise as batches, write, re-verify; one failure never stops the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from vitequiv.classification.zero_shot import require_text_tower
from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError
from vitequiv.images.decode import load_image
from vitequiv.images.lattice import from_uint8, quantise
from vitequiv.matching.names import SpaceName
from vitequiv.matching.progress import Observer
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.engine.loop import run_items
from vitequiv.runs.engine.task import Elsewhere, Prepared, Task
from vitequiv.runs.match_artifacts import require_canvas, write_match
from vitequiv.runs.match_work import Matched, MatchPlan, PairPixels, loss_of, match_work, pack_pair
from vitequiv.runs.row_settings import own_settings
from vitequiv.runs.seen import Seen, SeenImage
from vitequiv.runs.target_choice import TextTarget
from vitequiv.runs.targets import text_digest
from vitequiv.runs.worklist.items import Pair

TEXT_ROWS = ("match a target_text of a pairs file", "name images or embeddings")
"""What `require_text_tower` says of rows that name texts."""


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

    Returns:
        An envelope a pair, as it ends; an item that failed has no folder, only its envelope.
    """
    if any(isinstance(pair.given, TextTarget) for pair in pairs):
        require_text_tower(encoder, *TEXT_ROWS)
    return run_items(pairs, match_task(encoder, plan, context, out, observe), batch_size=plan.batch_size)


def match_task(
    encoder: Encoder, plan: MatchPlan, context: RunContext, out: RunDirectory, observe: Observer | None = None
) -> Task[Pair, PairPixels, Matched]:
    """What is done to each pair: it is matched, as one of a batch, written, and measured again from the file.

    Args:
        encoder: The encoder.
        plan: How.
        context: What the items share.
        out: Where to write.
        observe: Told of the progress of each batch.

    Returns:
        The task; it keeps images and targets that several pairs name.
    """
    if plan.space is SpaceName.MODEL:
        require_canvas(encoder)
    seen = Seen(encoder)

    def write(pair: Pair, prepared: Prepared[PairPixels], matched: Matched) -> Envelope:
        source = prepared.inputs[: 1 if pair.source else 0]
        inputs, loss = (*source, *matched.target.inputs), loss_of(pair, plan)
        own = own_settings(context, pair, loss)
        return write_match(encoder, pair.name, inputs, matched.result, plan.goal, own, out, loss, plan.jpeg)

    work = match_work(encoder, plan, seen, observe)
    return Task(
        context,
        lambda pair: _named_inputs(pair, plan),
        lambda pair: _prepare(encoder, pair, plan, seen),
        work.compute,
        write,
        work.blame,
        footprint=work.footprint,
        own=lambda pair: own_settings(context, pair, loss_of(pair, plan)),
        elsewhere=Elsewhere(partial(match_work, plan=plan), lambda data: pack_pair(data, seen)),
    )


def _prepare(encoder: Encoder, pair: Pair, plan: MatchPlan, seen: Seen) -> Prepared[PairPixels]:
    """Decode one pair; an `ImageError` if a file cannot be used or both show the same image."""
    target = seen.image(pair.target) if pair.target is not None else None
    named = _named_inputs(pair, plan)
    if target is not None:
        named = (*named[:-1], InputRecord("target", str(pair.target), target.sha256, target.notes))
    if pair.source is None:
        return Prepared(named, PairPixels(pair, None, target))
    if plan.space is SpaceName.IMAGE:
        # Not from `seen`, which has no room for pictures.
        picture = load_image(pair.source)
        source = SeenImage(encoder.preprocess(picture.image), picture.sha256, picture.notes)
        start = quantise(from_uint8(np.asarray(picture.image)).to(encoder.pixel_dtype))
    else:
        source = seen.image(pair.source)
        start = source.pixels
    if target is not None and source.digest == target.digest:
        raise ImageError(
            f"The source {pair.source} and the target {pair.target} are the same image at the model's input size: "
            "there is nothing to match; choose two different images."
        )
    record = InputRecord("source", str(pair.source), source.sha256, source.notes)
    return Prepared((record, *named[1:]), PairPixels(pair, start, target))


def _named_inputs(pair: Pair, plan: MatchPlan) -> tuple[InputRecord, ...]:
    source = () if pair.source is None else (InputRecord("source", str(pair.source)),)
    if plan.target:
        return (*source, *plan.target.inputs)
    if isinstance(pair.given, TextTarget):
        return (*source, InputRecord("target", pair.given.text, text_digest(pair.given.text)))
    return (*source, InputRecord("target", pair.given.subject if pair.given else str(pair.target)))
