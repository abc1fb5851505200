"""Nearest class mean (Mensink et al. 2013; Snell et al. 2017, arXiv 1703.05175), on the unit sphere."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vitequiv.classification.choice import check_labels
from vitequiv.classification.cosine import DEFAULT_TEMPERATURE, CosineClassifier, unit
from vitequiv.results.classify import ClassifierKind, ClassifierRecord


def prototype_classifier(embeddings: Mapping[str, Tensor], temperature: float | None = None) -> CosineClassifier:
    """Make a classifier of examples.

    A class's prototype is the mean of its normalised embeddings, normalised again; an image's logits are its cosines
    to the prototypes over the temperature.

    Args:
        embeddings: By class, those of its examples, (K, n), K at least 1.
        temperature: Of the softmax; None for 0.01 (see `DEFAULT_TEMPERATURE`).

    Returns:
        The classifier.

    Raises:
        UsageError: If there are fewer than two classes.
        ValueError: If a class has no example.
    """
    check_labels(list(embeddings), "The prototypes")
    for name, examples in embeddings.items():
        if examples.ndim != 2 or not len(examples):
            raise ValueError(f"The class {name!r} must have embeddings (K, n), K at least 1: got {examples.shape}.")
    means = torch.stack([unit(examples).mean(0) for examples in embeddings.values()])
    record = ClassifierRecord(
        ClassifierKind.PROTOTYPES,
        tuple(embeddings),
        scale=1 / (temperature or DEFAULT_TEMPERATURE),
        examples=tuple(len(examples) for examples in embeddings.values()),
    )
    return CosineClassifier(record, unit(means))
