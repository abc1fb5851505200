"""Nearest class mean by cosine, of centred and whitened embeddings."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from vitequiv.classification.choice import check_labels
from vitequiv.classification.cosine import DEFAULT_TEMPERATURE, CosineClassifier, unit
from vitequiv.classification.whitening import fit_whitening
from vitequiv.errors import UsageError
from vitequiv.results.classify import ClassifierRecord
from vitequiv.results.names import ClassifierKind


def prototype_classifier(embeddings: Mapping[str, Tensor], temperature: float | None = None) -> CosineClassifier:
    """Make a classifier of examples.

    Embeddings are normalised, centred by the mean of the class means (SimpleShot, Wang et al. 2019, arXiv 1911.04623),
    whitened by their shrunk covariance within classes (linear discriminant analysis; `fit_whitening`), and normalised
    again. A class's prototype is the normalised mean of its examples so seen (nearest class mean, Mensink et al. 2013);
    an image's logits are its cosines to the prototypes over the temperature. With one example a class there is no
    covariance within classes, and embeddings are centred alone.

    Args:
        embeddings: By class, those of its examples, (K, n), K at least 1.
        temperature: Of the softmax; None for 0.01 (see `DEFAULT_TEMPERATURE`).

    Returns:
        The classifier.

    Raises:
        UsageError: If there are fewer than two classes, or an example's embedding is not finite.
        ValueError: If a class has no example.
    """
    check_labels(list(embeddings), "The prototypes")
    for name, examples in embeddings.items():
        if examples.ndim != 2 or not len(examples):
            raise ValueError(f"The class {name!r} must have embeddings (K, n), K at least 1: got {examples.shape}.")
        if not bool(examples.isfinite().all()):
            raise UsageError(
                f"The model gives numbers that are not finite for an example of the class {name!r}: use "
                "--dtype float32 or remove that image."
            )
    view = fit_whitening(list(embeddings.values()))
    means = torch.stack([view(examples).mean(0) for examples in embeddings.values()])
    record = ClassifierRecord(
        ClassifierKind.PROTOTYPES,
        tuple(embeddings),
        scale=1 / (temperature or DEFAULT_TEMPERATURE),
        examples=tuple(len(examples) for examples in embeddings.values()),
        shrinkage=view.shrinkage,
    )
    return CosineClassifier(record, unit(means), view)
