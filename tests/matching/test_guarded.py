"""A plugin's solver in the loop: it counts as any other, and its faults name it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tests.matching.maps import curved, random_images
from vitequiv.errors import PluginError, UsageError
from vitequiv.matching.goal import Goal
from vitequiv.matching.guarded import Guarded
from vitequiv.matching.loop import minimise
from vitequiv.matching.named import NamedSolver
from vitequiv.matching.solvers import GradientDescent, make_solver
from vitequiv.plugins.kinds import SOLVER
from vitequiv.plugins.loading import Owner
from vitequiv.plugins.registry import Registered

WHAT = "The solver 'mine' of somebody"


@dataclass(frozen=True)
class Odd:
    """Proposes and keeps what it is told to."""

    proposal: object = None
    state: object = None

    def init(self, pixels):
        return None

    def step(self, state, point, residual):
        proposal = point.pixels if self.proposal is None else self.proposal
        return (proposal, self.state) if self.state != "error" else 1 / 0


@dataclass(frozen=True)
class Short:
    memory: torch.Tensor


def run(solver):
    start, target = random_images(2, seed=1), curved(random_images(2, seed=2))
    return minimise(curved, start, target, solver, Goal(cosine=0.9999, max_passes=60))


def test_it_does_what_the_solver_does():
    solver = GradientDescent(0.01)
    for ours, theirs in zip(run(Guarded(solver, WHAT)), run(solver), strict=True):
        assert torch.equal(ours.pixels, theirs.pixels)
        assert ours.passes == theirs.passes


@pytest.mark.parametrize(
    ("solver", "fault"),
    [
        (Odd(proposal=torch.zeros(2, 3)), r"proposed \(2, 3\) in place of points \(2, 3, 6, 6\)"),
        (Odd(proposal="nothing"), "proposed str"),
        (Odd(state="error"), "failed: ZeroDivisionError"),
        (Odd(state={"memory": 1}), "keeps a dict as its state"),
        (Odd(state=Short), "keeps a type as its state"),
        (Odd(state=Short(torch.zeros(1, 3))), r"keeps memory of shape \(1, 3\)"),
        (Odd(state=Short(torch.tensor(0.0))), r"keeps memory of shape \(\)"),
    ],
)
def test_its_faults_name_it(solver, fault):
    with pytest.raises(PluginError, match=f"^The solver 'mine' of somebody {fault}"):
        run(Guarded(solver, WHAT))


@dataclass(frozen=True)
class Stepless:
    def init(self, pixels):
        return None

    def step(self, state, point, residual):
        return point.pixels, None


@pytest.fixture
def registered(monkeypatch):
    """Let one solver be registered, as a plugin's."""

    def register(load):
        found = Registered(NamedSolver("mine", "", load), Owner("mine", "somebody", "1.0"))
        monkeypatch.setattr("vitequiv.matching.solvers.find", lambda kind, name: {(SOLVER, "mine"): found}[kind, name])

    return register


def test_it_is_made_by_name_with_a_step_size(registered):
    registered(GradientDescent)
    assert make_solver("mine") == Guarded(GradientDescent(), WHAT)
    assert make_solver("mine", 0.25).step_size == 0.25


@pytest.mark.parametrize(
    ("load", "step_size", "message"),
    [
        (Stepless, 0.1, "has no step size"),
        (lambda: None, None, r"is a NoneType without init\(\)"),
        (lambda: 1 / 0, None, "of somebody failed: ZeroDivisionError"),
    ],
)
def test_one_that_cannot_be_made_is_a_sentence(registered, load, step_size, message):
    registered(load)
    with pytest.raises(UsageError, match=message):
        make_solver("mine", step_size)
