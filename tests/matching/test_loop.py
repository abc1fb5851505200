"""The shared loop: budget, counting, best point, box, statuses, and images that do not disturb each other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from tests.matching.maps import DIM, Counting, curved, linear, matrix, random_images
from vitequiv.images.lattice import quantise
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import PATIENCE, minimise
from vitequiv.matching.names import SolverName
from vitequiv.matching.solvers import make_solver
from vitequiv.matching.solvers.gd import GradientDescent
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.status import Status

SOLVERS = {name: make_solver(name, {"gd": 0.01, "adam": 0.01}.get(name)) for name in SolverName}


@pytest.mark.parametrize("name", list(SolverName))
def test_an_image_in_a_batch_goes_the_way_it_goes_alone(name):
    start, target = random_images(5, seed=1), curved(random_images(5, seed=2))
    goal = Goal(cosine=0.999, max_passes=400)
    together = minimise(curved, start, target, SOLVERS[name], goal)
    alone = [minimise(curved, start[i : i + 1], target[i : i + 1], SOLVERS[name], goal)[0] for i in range(5)]
    assert len({run.passes for run in together}) > 1, "the images must end at different times for this to test anything"
    for a, b in zip(together, alone, strict=True):
        assert (a.status, a.forwards, a.vjps) == (b.status, b.forwards, b.vjps)
        # Matrix products of other shapes sum in another order; a few hundred steps let 1e-16 grow.
        torch.testing.assert_close(a.pixels, b.pixels, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", list(SolverName))
@pytest.mark.parametrize("budget", [1, 2, 3, 10, 37])
def test_the_budget_is_never_exceeded_and_passes_are_counted_truly(name, budget):
    start, target = random_images(3, seed=1), curved(random_images(3, seed=2))
    for x, t in zip(start, target, strict=True):
        embed = Counting(curved)
        run = minimise(embed, x[None], t[None], SOLVERS[name], Goal(cosine=1.0, max_passes=budget))[0]
        assert run.status is Status.BUDGET_EXHAUSTED
        assert run.passes <= budget
        assert (embed.forwards, embed.vjps) == (run.forwards, run.vjps)
        assert run.trajectory[-1].passes <= run.passes


@pytest.mark.parametrize("name", list(SolverName))
def test_the_box_always_holds(name):
    seen = []

    def embed(pixels):
        seen.append((pixels.min().item(), pixels.max().item()))
        return linear(matrix())(pixels)

    # The target lies outside the box's image in part, so bounds are hit.
    start = random_images(3, seed=1, low=0.0, high=1.0)
    target = linear(matrix())(random_images(3, seed=2, low=-1.0, high=2.0))
    runs = minimise(embed, start, target, SOLVERS[name], Goal(cosine=0.99999, max_passes=300))
    assert min(low for low, _ in seen) >= 0
    assert max(high for _, high in seen) <= 1
    assert any(((run.pixels == 0) | (run.pixels == 1)).any() for run in runs), "no bound was hit: the test is idle"


def test_what_meets_the_goal_still_does_when_rounded_to_8_bits():
    start, target = random_images(6, seed=1), curved(random_images(6, seed=2))
    goal = Goal(cosine=0.9999, max_passes=2000)
    for run, t in zip(minimise(curved, start, target, Polyak(), goal), target, strict=True):
        assert run.status is Status.CONVERGED
        assert goal.met(curved(quantise(run.pixels[None])), t[None]).item()


@dataclass(frozen=True)
class Wandering:
    """Finds a good point and leaves it again."""

    def init(self, pixels):
        return None

    def step(self, state, point, residual):
        better = residual.norm() > 0.3
        factor = 0.3 if better else -0.05
        return point.pixels - factor * point.pullback(residual), state


def test_the_best_point_is_kept():
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    run = minimise(curved, start, target, Wandering(), Goal(cosine=1.0, max_passes=200))[0]
    losses = [row.loss for row in run.trajectory]
    assert losses[-1] > min(losses), "the solver must have left its best point for this to test anything"
    assert (curved(run.pixels[None]) - target).square().sum().item() / 2 == pytest.approx(min(losses), rel=1e-12)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_one_image_that_is_not_finite_does_not_stop_the_others(bad):
    start, target = random_images(3, seed=1), curved(random_images(3, seed=2))
    threshold = (start[1] - start[1]).sum() + start[1, 0, 0, 0]

    def embed(pixels):
        # Only the second image starts here, and it leaves its start at the first step.
        poisoned = (pixels[:, 0, 0, 0] - threshold).abs() > 0
        mine = (pixels.flatten(1) - start[1].flatten()).norm(dim=1) < 0.3
        return torch.where((poisoned & mine)[:, None], bad, 1.0) * curved(pixels)

    runs = minimise(embed, start, target, Polyak(), Goal(cosine=0.99, max_passes=500))
    assert [run.status for run in runs] == [Status.CONVERGED, Status.NON_FINITE, Status.CONVERGED]
    assert runs[1].pixels.isfinite().all()


def test_not_finite_from_the_start():
    start = random_images(1, seed=1)
    run = minimise(lambda x: torch.nan * curved(x), start, curved(start), Polyak(), Goal())[0]
    assert run.status is Status.NON_FINITE
    assert run.trajectory == []
    assert torch.equal(run.pixels, start[0])


def test_a_step_that_moves_nothing_is_a_stall():
    def flat(pixels):
        return 0 * pixels.flatten(1)[:, :DIM] + 1

    run = minimise(flat, random_images(1, seed=1), -torch.ones(1, DIM).double(), Polyak(), Goal())[0]
    assert run.status is Status.STALLED
    assert run.passes == 2


def test_no_progress_for_long_is_a_stall():
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    run = minimise(curved, start, target, GradientDescent(1e-12), Goal(max_passes=10_000))[0]
    assert run.status is Status.STALLED
    assert len(run.trajectory) == PATIENCE + 1


def test_slow_but_steady_descent_is_no_stall():
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    run = minimise(curved, start, target, GradientDescent(3e-6), Goal(max_passes=1000))[0]
    losses = [row.loss for row in run.trajectory]
    assert losses == sorted(losses, reverse=True)
    assert losses[1] > 0.999 * losses[0], "each step alone must be less than the progress asked for"
    assert run.status is Status.BUDGET_EXHAUSTED


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_the_budget_holds_where_the_start_meets_the_goal(budget):
    start = quantise(random_images(1, seed=1))
    run = minimise(curved, start, curved(start), Polyak(), Goal(max_passes=budget))[0]
    assert run.passes <= budget
    assert run.status is (Status.CONVERGED if budget > 1 else Status.BUDGET_EXHAUSTED)


@pytest.mark.parametrize("name", list(SolverName))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_flat_map_is_a_stall_for_every_solver(name, dtype):
    start = random_images(1, seed=1).to(dtype)
    run = minimise(
        lambda x: 0 * x.flatten(1)[:, :DIM] + 1, start, -torch.ones(1, DIM, dtype=dtype), SOLVERS[name], Goal()
    )[0]
    assert run.status is Status.STALLED


@pytest.mark.parametrize("name", list(SolverName))
def test_an_infinite_gradient_is_not_finite_for_every_solver(name):
    class Exploding(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.flatten(1)[:, :DIM].clone()

        @staticmethod
        def backward(ctx, cotangent):
            return torch.full((len(cotangent), 3, 6, 6), torch.inf, dtype=cotangent.dtype)

    target = -torch.ones(1, DIM, dtype=torch.float64)
    run = minimise(Exploding.apply, random_images(1, seed=1), target, SOLVERS[name], Goal())[0]
    assert run.status is Status.NON_FINITE


def test_a_match_from_the_start_costs_its_evaluations_and_changes_nothing():
    start = quantise(random_images(2, seed=1))
    runs = minimise(curved, start, curved(start), Polyak(), Goal())
    for run, x in zip(runs, start, strict=True):
        assert run.status is Status.CONVERGED
        assert (run.forwards, run.vjps) == (2, 0)
        assert torch.equal(run.pixels, x)


def test_the_observer_sees_every_evaluation_and_every_end():
    seen = []
    start, target = random_images(4, seed=1), curved(random_images(4, seed=2))
    runs = minimise(curved, start, target, Polyak(), Goal(cosine=0.999), seen.append)
    assert len(seen) == max(len(run.trajectory) for run in runs)
    assert [p.ended for p in seen] == sorted(p.ended for p in seen)
    assert (seen[-1].active, seen[-1].ended) == (0, 4)
    assert all(p.active + p.ended == 4 for p in seen)
    assert all(0 <= p.fraction <= 1 for p in seen)
    assert (seen[0].fraction < 0.1, seen[-1].fraction) == (True, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cosine": None}, "needs a cosine, a residual or both"),
        ({"cosine": 1.5}, "must be in"),
        ({"cosine": float("nan")}, "must be in"),
        ({"residual": 0.0}, "above 0"),
        ({"max_passes": 0}, "At least one pass"),
    ],
)
def test_a_goal_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Goal(**arguments)
