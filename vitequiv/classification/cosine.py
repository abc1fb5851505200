"""The classifier that two of the three kinds are: cosines to one unit vector a class, scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor
from torch.nn.functional import normalize

from vitequiv.encoders.base import Encoder
from vitequiv.precision import wide
from vitequiv.results.classify import ClassifierRecord

DEFAULT_TEMPERATURE = 0.01
"""Where no checkpoint says otherwise: CLIP's learned factor on the cosine ends at its cap of 100 (Radford et al. 2021,
section 2.5), so that probabilities by prototypes read like zero-shot ones. The top class does not depend on it."""


class Classifier(Protocol):
    """Anything that gives logits for images and says what it is."""

    @property
    def record(self) -> ClassifierRecord:
        """What it is."""

    @property
    def forwards(self) -> int:
        """Forwards an image that `logits` takes beyond the embedding."""

    def logits(self, encoder: Encoder, pixels: Tensor, embeddings: Tensor) -> Tensor:
        """Compute logits.

        Args:
            encoder: The encoder it was made for.
            pixels: (B, 3, H, W) in [0, 1].
            embeddings: Theirs, (B, n).

        Returns:
            (B, C), in wide precision.
        """


def unit(embeddings: Tensor) -> Tensor:
    """Normalise rows, in wide precision.

    Args:
        embeddings: (B, n).

    Returns:
        (B, n) of length 1; zero rows stay zero.
    """
    return normalize(wide(embeddings), dim=1)


@dataclass(frozen=True, eq=False)
class CosineClassifier:
    """Logits are cosines times a factor.

    Args:
        record: What it is; its `scale` is the factor.
        weights: A unit vector a class, (C, n), in wide precision.
        view: What makes unit vectors (B, n) of embeddings (B, n); their length alone changes by default.
    """

    record: ClassifierRecord
    weights: Tensor
    view: Callable[[Tensor], Tensor] = unit
    forwards: int = 0

    def logits(self, encoder: Encoder, pixels: Tensor, embeddings: Tensor) -> Tensor:
        """Compute scaled cosines; see `Classifier.logits`."""
        del encoder, pixels
        return (self.record.scale or 1.0) * self.view(embeddings) @ self.weights.T
