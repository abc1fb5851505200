"""From a choice on the command line to a classifier for one encoder."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vitequiv.batching import BatchSize
from vitequiv.classification.api import require_some_classifier
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.classification.cosine import Classifier
from vitequiv.classification.head import head_classifier
from vitequiv.classification.prototypes import prototype_classifier
from vitequiv.classification.zero_shot import zero_shot_classifier
from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.results.envelope import InputRecord
from vitequiv.results.names import ClassifierKind
from vitequiv.runs.embedding_files import embed_files
from vitequiv.runs.resume import digest


def build_classifier(
    encoder: Encoder, choice: ClassifierChoice, batch_size: int | BatchSize, leave_out: Collection[Path] = ()
) -> tuple[Classifier, tuple[InputRecord, ...]]:
    """Make a classifier.

    Args:
        encoder: The encoder it is for.
        choice: Which.
        batch_size: Images embedded together; fewer where they do not fit into the memory.
        leave_out: Example images that must not be used.

    Returns:
        The classifier, and the files that went in: example images, or the file of labels.

    Raises:
        UsageError: If the encoder has no such classifier, or none is named and the checkpoint has no head.
    """
    if choice.kind is ClassifierKind.ZERO_SHOT:
        file = choice.labels_file
        made = zero_shot_classifier(encoder, choice.labels, choice.templates, choice.temperature)
        return made, () if file is None else (InputRecord("labels", str(file), digest(str(file))),)
    if choice.kind is ClassifierKind.PROTOTYPES:
        return _prototypes(encoder, choice, batch_size, leave_out)
    require_some_classifier(encoder, choice.kind is not None)
    if encoder.tower.head is not None and choice.kind is None and choice.temperature is not None:
        raise UsageError(
            f"--temperature is for cosines (--labels, --prototypes): {encoder.spec} classifies with its own head."
        )
    return head_classifier(encoder), ()


def _prototypes(
    encoder: Encoder, choice: ClassifierChoice, batch_size: int | BatchSize, leave_out: Collection[Path]
) -> tuple[Classifier, tuple[InputRecord, ...]]:
    out = {path.resolve() for path in leave_out}
    records: list[InputRecord] = []
    embeddings = {}
    for name, paths in choice.examples:
        kept = [path for path in paths if path.resolve() not in out]
        if not kept:
            raise UsageError(
                f"All images of the class {name!r} were drawn, so none is left to be its prototype: lower --count, add "
                "images, or name others with --prototypes DIR."
            )
        embeddings[name], examples = embed_files(encoder, kept, "prototype", batch_size)
        records += examples
    return prototype_classifier(embeddings, choice.temperature), tuple(records)
