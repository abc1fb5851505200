"""The straight line: known answers on a linear map, derivatives on a curved one."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tests.matching.maps import curved, matrix, random_images
from tests.paths.maps import counting, linear
from vitequiv.paths.linear import linear_path
from vitequiv.paths.measure import Anchors, measure
from vitequiv.paths.summary import linear_summary
from vitequiv.results.status import Status

START, END = random_images(2, seed=1)


def measured(embed, steps):
    trace = linear_path(embed, START, END, steps)
    first, last = trace.embeddings[0], trace.embeddings[-1]
    places = [i / (steps - 1) for i in range(steps)]
    points = measure(Anchors(START, END, first, last, first), trace, places, slopes=trace.slopes)
    return points, linear_summary(trace, points)


def test_a_linear_map_goes_straight_at_one_speed():
    points, summary = measured(linear, 7)
    direction = (END - START).flatten()
    speed = (matrix() @ direction / direction.norm()).norm().item()
    # Float64 throughout: a few units of rounding of numbers near 1.
    assert [p.slope for p in points] == pytest.approx([speed] * 7, rel=1e-12)
    assert [p.speed for p in points[1:]] == pytest.approx([speed] * 6, rel=1e-12)
    assert max(p.off_chord for p in points) < 1e-13
    assert (summary.detour, summary.resolved) == pytest.approx((1, 1), rel=1e-12)
    assert points[0].speed is None
    assert [p.t for p in points] == pytest.approx([p.covered for p in points])
    assert [p.t for p in points] == pytest.approx([p.nearer for p in points])


@pytest.mark.parametrize("steps", [2, 3, 21])
def test_the_ends_are_exact_and_the_cost_is_three_a_point(steps, monkeypatch):
    embed, passes = counting(curved, monkeypatch)
    seen = []
    trace = linear_path(embed, START, END, steps, lambda done, total: seen.append((done, total)))
    assert torch.equal(trace.pixels[0], START)
    assert torch.equal(trace.pixels[-1], END)
    assert trace.spent.passes == passes.all == 3 * steps
    assert trace.passes == tuple(3 * (i + 1) for i in range(steps))
    assert seen == [(i + 1, steps) for i in range(steps)]


def test_slopes_are_the_limit_of_speeds():
    points, summary = measured(curved, 400)
    for a, b in pairwise(points):
        # The speed over a segment is the slope inside it; over 1/400 of the way the slope itself changes by about 1 %.
        assert b.speed == pytest.approx((a.slope + b.slope) / 2, rel=0.02)
    assert summary.resolved == pytest.approx(1, abs=1e-4)
    assert summary.detour > 1.01, "the map must bend for this to test anything"


def test_the_cosine_rows_are_against_both_ends():
    points, _ = measured(curved, 5)
    assert points[0].cosine_start == pytest.approx(1)
    assert points[-1].cosine_end == pytest.approx(1)
    assert points[0].cosine_end == pytest.approx(points[-1].cosine_start)
    assert points[-1].cosine == points[-1].cosine_start


def test_an_embedding_that_is_not_finite_ends_the_path():
    def embed(pixels):
        far = (pixels - START).flatten(1).norm(dim=1) > 0.6 * (END - START).norm()
        return torch.where(far[:, None], torch.nan, 1.0) * curved(pixels)

    trace = linear_path(embed, START, END, 11)
    assert trace.status is Status.NON_FINITE
    assert len(trace.pixels) == 8
    assert "point 8 of 11" in trace.message
