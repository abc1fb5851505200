"""The result of `vitequiv classify` as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from vitequiv.results.classify import ClassifierRecord, ImageRow, MatchRowRecord
from vitequiv.results.marks import Finite

ROUNDING = 1e-3
"""How far a probability may be beyond [0, 1]."""


@dataclass(frozen=True)
class FailureRecord:
    """What could not be classified.

    Args:
        name: What it is called in tables and plots.
        message: Why, in a sentence.
    """

    name: str
    message: str


@dataclass(frozen=True)
class ClassifyRecord:
    """The `result` of `classify.json`.

    Args:
        classifier: What classified.
        images: A row of the matrix each.
        probabilities: The matrix, image by class, in [0, 1]; rows sum to 1.
        matches: For folders of saved matches, what each does to the classifier.
        failures: What could not be classified.

    Raises:
        ValueError: If the matrix is not of these images and classes.
    """

    classifier: ClassifierRecord
    images: tuple[ImageRow, ...]
    probabilities: tuple[tuple[Finite, ...], ...]
    matches: tuple[MatchRowRecord, ...]
    failures: tuple[FailureRecord, ...]

    def __post_init__(self) -> None:
        classes = len(self.classifier.labels)
        if not classes or not self.images or any(not image.best for image in self.images):
            raise ValueError("no image or no class is named")
        if len(self.probabilities) != len(self.images) or any(len(row) != classes for row in self.probabilities):
            raise ValueError(f"the matrix is not of {len(self.images)} images by {classes} classes")
        if any(not -ROUNDING <= value <= 1 + ROUNDING for row in self.probabilities for value in row):
            raise ValueError("a probability is not in [0, 1]")
