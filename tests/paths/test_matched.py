"""Paths that keep an embedding: the goal at every point, the budget, and where they break off."""

from __future__ import annotations

import pytest
import torch

from tests.matching.maps import curved, random_images
from tests.paths.maps import counting
from vitequiv.matching.goal import Goal
from vitequiv.matching.objective import cosine_similarity
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.paths.matched import matched_path
from vitequiv.paths.measure import halfway
from vitequiv.results.status import Status

START, END, OTHER = random_images(3, seed=1)
TARGETS = {"start": curved(START[None])[0], "end": curved(END[None])[0], "image": curved(OTHER[None])[0]}


def path(embed=curved, target="start", steps=9, cosine=0.999, max_passes=5000, observe=None):
    goal = Goal(cosine=cosine, max_passes=max_passes, on_lattice=False)
    return matched_path(embed, START, END, TARGETS[target], steps=steps, goal=goal, solver=Polyak(), observe=observe)


@pytest.mark.parametrize("target", list(TARGETS))
def test_every_point_keeps_the_embedding_asked_for(target):
    trace = path(target=target)
    assert trace.status is Status.CONVERGED
    assert len(trace.pixels) == 9
    cosines = cosine_similarity(curved(trace.pixels), TARGETS[target].expand(9, -1))
    assert cosines.min() >= 0.999
    assert trace.pixels.min() >= 0
    assert trace.pixels.max() <= 1
    middle = cosine_similarity(curved((START + END)[None] / 2), TARGETS[target][None])
    assert middle < 0.99, "the straight line must leave the class for this to test anything"


def test_an_end_that_matches_already_is_left_alone():
    assert torch.equal(path(target="start").pixels[0], START)


def test_corrections_are_carried_so_that_the_path_stays_in_the_class_between_its_points():
    trace = path(target="image", steps=21)
    t = torch.linspace(0, 1, 21, dtype=torch.float64).view(-1, 1, 1, 1)
    corrections = (trace.pixels - torch.lerp(START, END, t)).flatten(1)
    changes = corrections.diff(dim=0).norm(dim=1)
    assert changes.max() < 0.25 * corrections.norm(dim=1).min()
    between = cosine_similarity(torch.stack(halfway(curved, trace.pixels)), TARGETS["image"].expand(20, -1))
    assert between.min() > 0.998


def test_passes_are_those_made(monkeypatch):
    embed, passes = counting(curved, monkeypatch)
    trace = path(embed)
    assert trace.spent.passes == passes.all == trace.passes[-1]
    assert list(trace.passes) == sorted(trace.passes)


@pytest.mark.parametrize("budget", [1, 2, 5, 20, 50])
def test_the_budget_is_for_the_whole_path(budget, monkeypatch):
    embed, passes = counting(curved, monkeypatch)
    trace = path(embed, max_passes=budget, steps=60)
    assert trace.status is Status.BUDGET_EXHAUSTED
    assert passes.all == trace.spent.passes <= budget
    assert "of 60 did not come to cosine 0.999: the passes allowed ran out" in trace.message


def test_a_point_that_cannot_be_matched_is_the_last():
    trace = matched_path(
        lambda x: 0 * x.flatten(1)[:, :5] + 1, START, END, -torch.ones(5).double(),
        steps=4, goal=Goal(on_lattice=False), solver=Polyak(),
    )  # fmt: skip
    assert trace.status is Status.STALLED
    assert len(trace.pixels) == 1
    assert trace.message.startswith("Point 1 of 4 did not come to cosine 0.99")


def test_the_same_path_twice():
    assert torch.equal(path().pixels, path().pixels)
