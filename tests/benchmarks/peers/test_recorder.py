"""The count of passes is the benchmark's yardstick: it must be right for any way of asking."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.benchmarks.match_peers import run_attack, tells
from tests.benchmarks.peers.methods import vitequiv_attack
from tests.benchmarks.peers.recorder import THERE, Enough, Outcome, Reached, Recorder, outcome_from_json
from tests.benchmarks.peers.table import Row
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import SolverName
from vitequiv.matching.solvers import make_solver

SHAPE = (1, 3, 4, 4)


def embed(pixels: Tensor) -> Tensor:
    """Smooth, and far from linear."""
    weights = torch.randn(48, 6, generator=torch.Generator().manual_seed(0))
    return (pixels.flatten(1) @ weights).sin()


def recorder(max_passes: int = 100) -> Recorder:
    generator = torch.Generator().manual_seed(1)
    source, target = torch.rand(SHAPE, generator=generator), torch.rand(SHAPE, generator=generator)
    return Recorder(embed, source, target, max_passes)


def test_forwards_and_backwards_are_counted_from_the_start_on() -> None:
    counted = recorder()
    counted(counted.source)
    assert counted.outcome.passes == 0
    counted.start()
    leaf = counted.source.clone().requires_grad_()
    embedding = counted(leaf)
    for _ in range(2):
        torch.autograd.grad(embedding.sum(), leaf, retain_graph=True)
    with torch.no_grad():
        counted(torch.cat([counted.source] * 3))
    assert (counted.outcome.forwards, counted.outcome.backwards) == (4, 2)


@pytest.mark.parametrize("name", SolverName)
def test_the_count_is_that_of_the_loop(name: SolverName) -> None:
    plain = recorder()
    counted = Recorder(lambda pixels: embed(pixels) + 2, plain.source, plain.target, 100)
    counted.wanted = -counted.wanted  # out of reach of positive embeddings, so that only the budget ends it
    counted.start()
    goal = Goal(cosine=1.0, max_passes=9, on_lattice=False)
    (run,) = minimise(counted, counted.source, counted.wanted, make_solver(name), goal)
    assert counted.outcome.passes == run.passes > 1


def test_the_gradient_is_untouched() -> None:
    counted = recorder()
    counted.start()
    leaf, plain = (counted.source.clone().requires_grad_() for _ in range(2))
    (seen,) = torch.autograd.grad(counted(leaf).square().sum(), leaf)
    (expected,) = torch.autograd.grad(embed(plain).square().sum(), plain)
    assert torch.equal(seen, expected)


def test_an_iterate_outside_the_box_is_measured_inside() -> None:
    counted = recorder()
    counted.target[0, 0, 0] = 1.0
    counted = Recorder(embed, counted.source, counted.target, 100)
    counted.start()
    outside = counted.target.clone()
    outside[0, 0, 0] = 1.5  # projects on the target itself
    with pytest.raises(Enough, match="cosine reached"):
        counted(outside.requires_grad_())
    assert counted.outcome.passes == 1
    assert counted.outcome.reached[0.99].l2 == (counted.target - counted.source).double().norm().item()


def test_a_forward_over_budget_is_not_made() -> None:
    counted = recorder(max_passes=2)
    counted.start()
    counted(counted.source)
    with pytest.raises(Enough, match="passes spent"):
        counted(torch.cat([counted.source] * 2))
    assert counted.outcome.passes == 1


def test_an_outcome_survives_json() -> None:
    outcome = Outcome({0.9: Reached(3, 0.5, 1.25)}, 0.95, 2, 1, 0.75, "passes spent", None)
    text = json.dumps({"method": "m", "passes": 3} | dataclasses.asdict(outcome))
    assert outcome_from_json(json.loads(text)) == outcome


def test_a_lost_pair_is_infinite_in_passes_and_absent_from_the_ratio() -> None:
    def outcome(passes: int, l2: float) -> Outcome:
        return Outcome({0.99: Reached(passes, 1.0, l2)})

    reference = [outcome(100, 2.0), outcome(100, 4.0), outcome(100, 1.0)]
    row = Row("m", "s", [outcome(10, 3.0), Outcome(), outcome(30, 1.0)], reference)
    assert (row.passes(0.99), row.l2_ratio(0.99), row.converged(0.99)) == (30, 1.25, 2)
    assert (row.passes(0.9), row.l2_ratio(0.9), row.converged(0.9)) == (math.inf, None, 0)


@pytest.mark.parametrize("more", [-1, 0, 50])
def test_what_arrived_within_a_budget_tells_of_every_budget_that_would_have_let_it(more: int) -> None:
    def run(budget: int) -> dict[str, Any]:
        shared = recorder()
        attack = vitequiv_attack(make_solver("lbfgs"))
        outcome = run_attack(attack, embed, shared.source, shared.target, budget)
        return {"max_passes": budget, "passes": outcome.passes, **dataclasses.asdict(outcome)}

    known = run(60)
    assert known["ended"] == THERE
    now = run(known["passes"] + more)
    assert tells(known, now["max_passes"]) == (more >= 0)
    steady = ("ended", "passes", "best_cosine", "forwards", "backwards")
    assert ([known[name] for name in steady] == [now[name] for name in steady]) == (more >= 0)


def test_what_ran_out_tells_of_its_own_budget_alone() -> None:
    spent = {"ended": "passes spent", "passes": 60, "max_passes": 60}
    assert [tells(spent, budget) for budget in (40, 60, 80)] == [False, True, False]
