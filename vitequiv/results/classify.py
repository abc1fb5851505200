"""What a classifier sees in images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitequiv.results.cost import Cost
from vitequiv.results.names import ClassifierKind

if TYPE_CHECKING:
    from torch import Tensor

BEST = 5
"""Classes listed for an image in JSON."""


@dataclass(frozen=True)
class ClassifierRecord:
    """A classifier, for JSON.

    Args:
        kind: Which of the three.
        labels: The C class names, in the order of the columns.
        templates: What the names were put into, for text.
        scale: Factor on the cosine before the softmax (one over the temperature); None for a head.
        examples: Images of each class, for prototypes.
        shrinkage: For prototypes, weight of the sphere in the covariance they are whitened by; 1 for none.
    """

    kind: ClassifierKind
    labels: tuple[str, ...]
    templates: tuple[str, ...] = ()
    scale: float | None = None
    examples: tuple[int, ...] = ()
    shrinkage: float | None = None


@dataclass(frozen=True)
class Guess:
    """A class with its probability.

    Args:
        label: The class's name.
        index: Its column.
        probability: In [0, 1].
    """

    label: str
    index: int
    probability: float


@dataclass(frozen=True, eq=False)
class Classification:
    """Images by classes.

    Args:
        classifier: What classified.
        logits: (B, C).
        probabilities: (B, C), rows sum to 1; NaN where the embedding was not finite.
        embeddings: (B, n), not normalised.
        cost: What it took, text and prototypes left out.
    """

    classifier: ClassifierRecord
    logits: Tensor
    probabilities: Tensor
    embeddings: Tensor
    cost: Cost

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, in the order of the columns."""
        return self.classifier.labels

    def best(self, count: int = BEST) -> list[tuple[Guess, ...]]:
        """List each image's most probable classes, the first of equals first.

        Args:
            count: How many.

        Returns:
            B tuples of at most `count` guesses, falling; empty for an image whose logits are not finite.
        """
        return [_best(self.labels, row, count) for row in self.probabilities.tolist()]


def _best(labels: Sequence[str], row: Sequence[float], count: int) -> tuple[Guess, ...]:
    if any(value != value for value in row):  # NaN
        return ()
    order = sorted(range(len(row)), key=lambda i: (-row[i], i))
    return tuple(Guess(labels[i], i, row[i]) for i in order[:count])


@dataclass(frozen=True)
class ImageRow:
    """One row of the matrix.

    Args:
        name: What it is called in tables and plots.
        path: The file.
        role: `image`, `source`, `target` or `matched`.
        best: Its most probable classes.
    """

    name: str
    path: str
    role: str
    best: tuple[Guess, ...]


@dataclass(frozen=True)
class BeforeAfter:
    """Cosine similarity of two embeddings, before and after a match.

    Args:
        before: Of the source and the target; null where one of them is no image.
        after: Of `matched.png`, reloaded, and the target; null likewise.
    """

    before: float | None
    after: float | None


@dataclass(frozen=True)
class MatchRowRecord:
    """What a saved match does to the classifier, as JSON.

    Args:
        name: The match, SOURCE → TARGET.
        folder: Its folder.
        matched_in: Spec of the encoder it was made in.
        before: Top class of the source; null for a start at noise.
        after: Top class of `matched.png`, reloaded.
        target: Top class of the target; null for a target that was no image.
        takes_target_class: Whether the matched image has the target's top class; null where the target has none.
        flipped: The same where the source had another class, else null.
        cosine: Cosine similarity to the target's embedding in this model.
    """

    name: str
    folder: str
    matched_in: str
    before: Guess | None
    after: Guess
    target: Guess | None
    takes_target_class: bool | None
    flipped: bool | None
    cosine: BeforeAfter


@dataclass(frozen=True)
class MatchRow:
    """What a saved match does to the classifier, in this encoder.

    Args:
        name: The match, SOURCE → TARGET.
        folder: Its folder.
        matched_in: Spec of the encoder it was made in.
        before: Top class of the source; None for a start at noise.
        after: Top class of `matched.png`, reloaded.
        target: Top class of the target; None for a target that is no image.
        cosine_before: Cosine of the embeddings of source and target; None for a start at noise or such a target.
        cosine_after: Cosine of the embeddings of `matched.png` and the target; None for such a target.
    """

    name: str
    folder: str
    matched_in: str
    before: Guess | None
    after: Guess
    target: Guess | None
    cosine_before: float | None
    cosine_after: float | None

    @property
    def takes_target_class(self) -> bool | None:
        """Whether the matched image has the target's top class; None where the target has none."""
        return None if self.target is None else self.after.index == self.target.index

    @property
    def flipped(self) -> bool | None:
        """Whether it did so although the source did not; None where the source had it already or one is not known."""
        if self.before is None or self.target is None or self.before.index == self.target.index:
            return None
        return self.takes_target_class

    def record(self) -> MatchRowRecord:
        """Returns the row for JSON."""
        return MatchRowRecord(
            name=self.name,
            folder=self.folder,
            matched_in=self.matched_in,
            before=self.before,
            after=self.after,
            target=self.target,
            takes_target_class=self.takes_target_class,
            flipped=self.flipped,
            cosine=BeforeAfter(self.cosine_before, self.cosine_after),
        )
