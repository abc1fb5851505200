"""The result of `vitequiv statistics` as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from vitequiv.results.classify import BeforeAfter, ClassifierRecord, Guess
from vitequiv.results.marks import Keys, Quantiles
from vitequiv.results.match import Perturbation
from vitequiv.results.status import Status

QUANTITIES = tuple(field.name for field in fields(Perturbation))
RATES = ("converged", "same_class_before", "takes_target_class", "flipped", "accuracy")


@dataclass(frozen=True)
class Sample:
    """A sample of numbers.

    Args:
        count: Finite values in it.
        mean: Their mean.
        standard_error: Standard error of the mean; None for a single value.
        quantiles: By name, interpolated linearly.
        min: The smallest.
        max: The largest.
    """

    count: int
    mean: float
    standard_error: float | None
    quantiles: Quantiles
    min: float
    max: float


@dataclass(frozen=True)
class Rate:
    """A share of trials with its 95 % interval.

    Args:
        successes: Trials that had it.
        trials: All trials.
        rate: Their ratio; None of no trials.
        low: Lower end of Wilson's interval.
        high: Upper end.
    """

    successes: int
    trials: int
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Draw:
    """How the pairs were drawn.

    Args:
        count: Pairs drawn.
        seed: What drew them.
        different_class: Whether only pairs across classes could be drawn.
        population: Images that could be drawn.
        images: Different images that were.
    """

    count: int
    seed: int
    different_class: bool
    population: int
    images: int


@dataclass(frozen=True)
class CosineSamples:
    """Cosine similarities of embeddings.

    Args:
        before: Of source and target.
        after: Of the matched image, rounded to 8 bits, and the target; null where no pair was matched.
        null: Of all unordered pairs of different drawn images.
    """

    before: Sample | None
    after: Sample | None
    null: Sample | None


@dataclass(frozen=True)
class PairEnd:
    """One image of a pair.

    Args:
        path: The file.
        folder: The class that its folder names; null where folders are no classes.
    """

    path: str
    folder: str | None


@dataclass(frozen=True)
class PairClasses:
    """Top classes; null without a classifier, or where the pair failed.

    Args:
        before: The source's.
        after: The matched image's.
        target: The target's.
    """

    before: Guess | None
    after: Guess | None
    target: Guess | None


@dataclass(frozen=True)
class PairEntry:
    """One pair.

    Args:
        source: The source.
        target: The target.
        status: How the match ended; `failed` if an image cannot be used.
        message: The same in a sentence.
        passes: What the match took.
        cosine: Cosine similarity to the target's embedding; `after` of the image rounded to 8 bits.
        class_: Top classes.
        takes_target_class: Whether the matched image has the target's top class; null if that is not known.
        perturbation: How far the match moved; null if it failed.
    """

    source: PairEnd
    target: PairEnd
    status: Status
    message: str
    passes: int
    cosine: BeforeAfter
    class_: PairClasses
    takes_target_class: bool | None
    perturbation: Perturbation | None


@dataclass(frozen=True)
class StatisticsRecord:
    """The `result` of `statistics.json`.

    Args:
        draw: How the pairs were drawn.
        classifier: What classified; null for nothing.
        cosine: Samples of cosine similarities.
        rates: Shares of the pairs, with 95 % intervals.
        perturbation: Samples of how far the matches moved, by quantity, as in `match.json`.
        passes: A sample of what the matches took.
        pairs: In the order drawn.
    """

    draw: Draw
    classifier: ClassifierRecord | None
    cosine: CosineSamples
    rates: Annotated[Mapping[str, Rate], Keys(RATES)]
    perturbation: Annotated[Mapping[str, Sample | None], Keys(QUANTITIES)]
    passes: Sample | None
    pairs: tuple[PairEntry, ...]
