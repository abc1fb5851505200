"""Matches of random pairs: every pair, and what they amount to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from vitequiv.results.classify import BeforeAfter, ClassifierRecord, Guess
from vitequiv.results.envelope import jsonable
from vitequiv.results.match import Perturbation
from vitequiv.results.statistics_record import (
    QUANTITIES,
    CosineSamples,
    Draw,
    PairClasses,
    PairEnd,
    PairEntry,
    Rate,
    Sample,
    StatisticsRecord,
)
from vitequiv.results.status import Status

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
Z = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


def describe(values: Iterable[float | None]) -> Sample | None:
    """Describe a sample.

    Args:
        values: Numbers; what is None, NaN or infinite is left out (the PSNR of an unchanged image is infinite).

    Returns:
        The description; None of nothing.
    """
    finite = sorted(value for value in values if value is not None and math.isfinite(value))
    if not finite:
        return None
    count = len(finite)
    mean = math.fsum(finite) / count
    variance = math.fsum((value - mean) ** 2 for value in finite) / (count - 1) if count > 1 else 0.0
    return Sample(
        count=count,
        mean=mean,
        standard_error=math.sqrt(variance / count) if count > 1 else None,
        quantiles={f"{q:.0%}": _quantile(finite, q) for q in QUANTILES},
        min=finite[0],
        max=finite[-1],
    )


def _quantile(ordered: Sequence[float], q: float) -> float:
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def wilson(outcomes: Iterable[bool]) -> Rate:
    """Estimate a rate (E. B. Wilson 1927; without continuity correction).

    Args:
        outcomes: One a trial.

    Returns:
        The rate with the 95 % score interval, which unlike the normal one is sound at rates of 0 and 1.
    """
    all_of_them = list(outcomes)
    successes, trials = sum(all_of_them), len(all_of_them)
    if not trials:
        return Rate(0, 0, None, None, None)
    rate = successes / trials
    centre = (rate + Z**2 / (2 * trials)) / (1 + Z**2 / trials)
    half = Z / (1 + Z**2 / trials) * math.sqrt(rate * (1 - rate) / trials + Z**2 / (4 * trials**2))
    low = 0.0 if successes == 0 else centre - half  # exactly, where rounding leaves 1e-17
    high = 1.0 if successes == trials else centre + half
    return Rate(successes, trials, rate, low, high)


@dataclass(frozen=True)
class PairRecord:
    """One pair.

    Args:
        source: The source's file.
        target: The target's file.
        source_folder: The class that the source's folder names; None where folders are no classes.
        target_folder: The same of the target.
        status: How the match ended; `failed` if an image cannot be used.
        message: The same in a sentence.
        passes: What the match took.
        cosine_before: Cosine of the two embeddings.
        cosine_after: The same of the matched image, rounded to 8 bits, and the target; None if it failed.
        before: The source's top class; None without a classifier.
        after: The matched image's.
        target_class: The target's.
        perturbation: How far the match moved.
    """

    source: str
    target: str
    source_folder: str | None
    target_folder: str | None
    status: Status
    message: str
    passes: int = 0
    cosine_before: float | None = None
    cosine_after: float | None = None
    before: Guess | None = None
    after: Guess | None = None
    target_class: Guess | None = None
    perturbation: Perturbation | None = None

    @property
    def done(self) -> bool:
        """Whether there is a matched image."""
        return self.cosine_after is not None

    @property
    def same_before(self) -> bool | None:
        """Whether source and target have one top class; None if that is not known."""
        if self.before is None or self.target_class is None:
            return None
        return self.before.index == self.target_class.index

    @property
    def takes_target_class(self) -> bool | None:
        """Whether the matched image has the target's top class; None if that is not known."""
        if self.after is None or self.target_class is None:
            return None
        return self.after.index == self.target_class.index


@dataclass(frozen=True)
class PairStatistics:
    """All pairs of one encoder.

    Args:
        count: Pairs drawn.
        seed: What drew them.
        different_class: Whether only pairs across classes could be drawn.
        population: Images they were drawn from.
        images: Different images drawn.
        classifier: What classified; None for nothing.
        right: For each drawn image in a class folder that the classifier knows, whether its top class is that one.
        null: Cosines of all pairs of different drawn images.
        pairs: The pairs, in the order drawn.
    """

    count: int
    seed: int
    different_class: bool
    population: int
    images: int
    classifier: ClassifierRecord | None
    right: tuple[bool, ...]
    null: Sample | None
    pairs: tuple[PairRecord, ...]

    @property
    def rates(self) -> dict[str, Rate]:
        """Shares by name; a pair that failed counts as not converged and in no other rate."""
        known = [pair for pair in self.pairs if pair.same_before is not None and pair.takes_target_class is not None]
        return {
            "converged": wilson(pair.status is Status.CONVERGED for pair in self.pairs),
            "same_class_before": wilson(bool(pair.same_before) for pair in known),
            "takes_target_class": wilson(bool(pair.takes_target_class) for pair in known),
            "flipped": wilson(bool(pair.takes_target_class) for pair in known if not pair.same_before),
            "accuracy": wilson(self.right),
        }

    def to_dict(self) -> dict[str, Any]:
        """Returns the `result` object of `statistics.json`, a `StatisticsRecord` as plain JSON types."""
        done = [pair for pair in self.pairs if pair.done]
        sizes = [pair.perturbation for pair in done if pair.perturbation]
        record = StatisticsRecord(
            draw=Draw(self.count, self.seed, self.different_class, self.population, self.images),
            classifier=self.classifier,
            cosine=CosineSamples(
                before=describe(pair.cosine_before for pair in self.pairs),
                after=describe(pair.cosine_after for pair in done),
                null=self.null,
            ),
            rates=self.rates,
            perturbation={name: describe(getattr(size, name) for size in sizes) for name in QUANTITIES},
            passes=describe(float(pair.passes) for pair in done),
            pairs=tuple(_entry(pair) for pair in self.pairs),
        )
        plain: dict[str, Any] = jsonable(record)
        return plain


def _entry(pair: PairRecord) -> PairEntry:
    return PairEntry(
        source=PairEnd(pair.source, pair.source_folder),
        target=PairEnd(pair.target, pair.target_folder),
        status=pair.status,
        message=pair.message,
        passes=pair.passes,
        cosine=BeforeAfter(pair.cosine_before, pair.cosine_after),
        class_=PairClasses(pair.before, pair.after, pair.target_class),
        takes_target_class=pair.takes_target_class,
        perturbation=pair.perturbation,
    )
