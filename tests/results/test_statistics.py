"""The numbers of a sample against NumPy and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from vitequiv.results.classify import Guess
from vitequiv.results.statistics import PairRecord, PairStatistics, describe, wilson
from vitequiv.results.status import Status


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 100), (3, 10), (50, 100), (97, 100), (100, 100)])
def test_wilson(successes, trials):
    rate = wilson(i < successes for i in range(trials))
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert rate.rate == successes / trials
    assert rate.low == pytest.approx(expected.low, abs=1e-12)
    assert rate.high == pytest.approx(expected.high, abs=1e-12)


def test_a_rate_of_nothing():
    assert wilson([]).rate is None


@pytest.mark.parametrize("count", [1, 2, 3, 10, 101])
def test_describe(count):
    values = np.random.default_rng(count).normal(size=count)
    sample = describe(values.tolist())
    assert sample.count == count
    assert sample.mean == pytest.approx(values.mean(), rel=1e-12)
    np.testing.assert_allclose(
        list(sample.quantiles.values()), np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]), rtol=1e-12
    )
    assert list(sample.quantiles) == ["5%", "25%", "50%", "75%", "95%"]
    assert (sample.min, sample.max) == (values.min(), values.max())
    if count > 1:
        assert sample.standard_error == pytest.approx(scipy.stats.sem(values), rel=1e-12)
    else:
        assert sample.standard_error is None


def test_what_is_not_finite_is_left_out():
    assert describe([1.0, math.inf, None, math.nan, 3.0]).count == 2
    assert describe([math.inf]) is None


def test_rates_of_pairs():
    def pair(before: int, after: int, target: int, status: Status = Status.CONVERGED) -> PairRecord:
        classes = [Guess(str(i), i, 1.0) for i in (before, after, target)]
        return PairRecord("s", "t", None, None, status, "", 1, 0.0, 1.0, classes[0], classes[1], classes[2])

    pairs = (
        pair(0, 1, 1),  # flipped
        pair(0, 0, 1, Status.STALLED),  # not
        pair(1, 1, 1),  # had it before
        pair(1, 0, 1),  # had it and lost it
        PairRecord("s", "t", None, None, Status.FAILED, "unreadable"),
    )
    rates = PairStatistics(5, 0, False, 9, 9, None, (True, False), None, pairs).rates
    counts = {name: (rate.successes, rate.trials) for name, rate in rates.items()}
    assert counts == {
        "converged": (3, 5),
        "same_class_before": (2, 4),
        "takes_target_class": (2, 4),
        "flipped": (1, 2),
        "accuracy": (1, 2),
    }
