"""The supervised classifier that came with a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.precision import wide
from vitequiv.results.classify import ClassifierRecord
from vitequiv.results.names import ClassifierKind


@dataclass(frozen=True)
class HeadClassifier:
    """The checkpoint's own logits.

    Args:
        record: What it is, with the checkpoint's own class names.
    """

    record: ClassifierRecord
    forwards: int = 1

    def logits(self, encoder: Encoder, pixels: Tensor, embeddings: Tensor) -> Tensor:
        """Run the whole classifier, which may read more than the embedding; see `Classifier.logits`."""
        del embeddings
        with torch.no_grad():
            return wide(encoder.logits(pixels))


def head_classifier(encoder: Encoder) -> HeadClassifier:
    """Take the checkpoint's head.

    Args:
        encoder: An encoder whose checkpoint has one.

    Returns:
        The classifier.

    Raises:
        UsageError: If it has none.
    """
    if encoder.tower.head is None:
        raise UsageError(
            f"The checkpoint of {encoder.spec} has no classification head: use --prototypes DIR, a folder of images a "
            "class, or with a text tower --labels."
        )
    return HeadClassifier(ClassifierRecord(ClassifierKind.HEAD, encoder.labels))
