"""The result of `vitequiv classify` as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from vitequiv.results.classify import ClassifierRecord, ImageRow, MatchRowRecord
from vitequiv.results.marks import Finite


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
    """

    classifier: ClassifierRecord
    images: tuple[ImageRow, ...]
    probabilities: tuple[tuple[Finite, ...], ...]
    matches: tuple[MatchRowRecord, ...]
    failures: tuple[FailureRecord, ...]
