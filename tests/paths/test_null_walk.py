"""Walks in a class of equal embedding: exact where the class is flat, within the tolerance where it is curved."""

from __future__ import annotations

import pytest
import torch

from tests.matching.maps import curved, matrix, random_images
from tests.paths.maps import counting, linear, quadratic
from vitequiv.paths.measure import halfway
from vitequiv.paths.null_walk import null_walk
from vitequiv.results.status import Status

START, END = random_images(2, seed=1)


def drifts(embed, embeddings):
    target = embed(START[None])
    return (embeddings - target).norm(dim=1) / target.norm()


def walk(embed, end=END, steps=60, tolerance=0.01, max_passes=3000, observe=None):
    return null_walk(
        embed, START, lambda x: end - x, steps=steps, tolerance=tolerance, max_passes=max_passes, observe=observe
    )


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6])
def test_a_linear_map_is_walked_to_the_projection_of_the_end(tolerance):
    trace = walk(linear, tolerance=tolerance)
    assert trace.status is Status.CONVERGED
    assert trace.rejected == 0
    a = matrix()
    difference = (END - START).flatten()
    nearest = START.flatten() + difference - torch.linalg.pinv(a) @ (a @ difference)
    # The null part is gone exactly; what is left lies in the row space, where the tolerance bounds it.
    bound = tolerance * linear(START[None]).norm() / torch.linalg.svdvals(a)[-1]
    assert (trace.pixels[-1].flatten() - nearest).norm() <= bound
    rest = trace.pixels[-1].flatten() - nearest
    assert (rest - torch.linalg.pinv(a) @ (a @ rest)).norm() < 1e-9


@pytest.mark.parametrize("embed", [curved, quadratic])
@pytest.mark.parametrize("tolerance", [0.1, 0.01, 0.001])
def test_a_curved_class_is_never_left(embed, tolerance):
    trace = walk(embed, tolerance=tolerance)
    assert drifts(embed, embed(trace.pixels)).max() <= tolerance
    assert drifts(embed, torch.stack(halfway(embed, trace.pixels))).max() <= tolerance
    assert trace.pixels.min() >= 0
    assert trace.pixels.max() <= 1
    way = (END - START).norm()
    assert (trace.pixels[-1] - END).norm() < 0.6 * way
    straight = START + 0.4 * (END - START)
    assert drifts(embed, embed(straight[None])) > tolerance, "a straight line must leave the class"


def test_a_random_way_is_walked_in_the_box():
    direction = torch.randn(START.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    trace = null_walk(curved, START, lambda x: direction, steps=80, tolerance=0.01, max_passes=3000)
    assert drifts(curved, curved(trace.pixels)).max() <= 0.01
    assert ((trace.pixels[-1] == 0) | (trace.pixels[-1] == 1)).float().mean() > 0.3, "it must have met the box"
    assert trace.pixels.min() >= 0
    assert trace.pixels.max() <= 1


def test_passes_are_those_made(monkeypatch):
    embed, passes = counting(curved, monkeypatch)
    seen = []
    trace = walk(embed, steps=12, observe=lambda done, total: seen.append((done, total)))
    assert trace.spent.passes == passes.all
    assert trace.spent.forwards == passes.forwards == len(trace.pixels) + trace.rejected
    assert list(trace.passes) == sorted(trace.passes)
    assert trace.passes[0] == 1
    assert seen == [(i, 12) for i in range(2, len(trace.pixels) + 1)]


@pytest.mark.parametrize("budget", [1, 5, 11, 12, 40, 41, 42, 43])
def test_the_budget_is_never_exceeded(budget, monkeypatch):
    embed, passes = counting(curved, monkeypatch)
    trace = walk(embed, tolerance=0.001, max_passes=budget)
    assert trace.status is Status.BUDGET_EXHAUSTED
    assert passes.all == trace.spent.passes <= budget
    assert drifts(curved, curved(trace.pixels)).max() <= 0.001
    assert "ran out after" in trace.message


def test_all_steps_taken_is_a_good_end():
    trace = walk(curved, steps=5)
    assert trace.status is Status.CONVERGED
    assert len(trace.pixels) == 5
    assert "all its 5 points" in trace.message


def test_a_map_that_breaks_off_stalls_the_walk_and_says_how_far_it_got():
    def broken(pixels):
        return curved(pixels) + 10 * ((pixels - START).flatten(1).norm(dim=1, keepdim=True) > 0.5)

    trace = walk(broken)
    assert trace.status is Status.STALLED
    assert (trace.pixels[-1] - START).norm() == pytest.approx(0.5, abs=0.02)
    assert "The tolerance stopped the walk" in trace.message


@pytest.mark.parametrize("value", [torch.nan, 0.0])
def test_an_embedding_that_cannot_be_kept(value):
    trace = walk(lambda x: value * curved(x))
    assert trace.status is Status.NON_FINITE
    assert len(trace.pixels) == 1


def test_the_same_walk_twice():
    assert torch.equal(walk(curved).pixels, walk(curved).pixels)
