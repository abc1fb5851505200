"""A smaller change after the goal is met: counted truly, within the budget, never larger, the goal kept."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.matching.maps import Counting, curved, linear, matrix, random_images
from vitequiv.images.lattice import quantise
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import LossName, SolverName
from vitequiv.matching.shrink import shrink
from vitequiv.matching.solvers import make_solver
from vitequiv.results.status import Status


def sizes(runs, start):
    return [(run.pixels - x).norm().item() for run, x in zip(runs, start, strict=True)]


@pytest.mark.parametrize("name", list(SolverName))
@pytest.mark.parametrize("on_lattice", [True, False])
def test_the_change_gets_smaller_and_the_goal_is_kept(name, on_lattice):
    start, target = random_images(4, seed=1), curved(random_images(4, seed=2))
    goal = Goal(cosine=0.99, max_passes=1000, on_lattice=on_lattice)
    step_size = {"gd": 0.01, "adam": 0.01}.get(name)
    runs = minimise(curved, start, target, make_solver(name, step_size), goal)
    before = sizes(runs, start)
    shrink(curved, start, target, runs, goal)
    for run, t, x, was, now in zip(runs, target, start, before, sizes(runs, start), strict=True):
        assert run.status is Status.CONVERGED
        assert now < was
        assert run.passes <= goal.max_passes
        seen = quantise(run.pixels[None]) if on_lattice else run.pixels[None]
        assert goal.met(curved(seen), t[None]).item()
        torch.testing.assert_close(curved(run.pixels[None])[0], run.embedding)
        passes = [row.passes for row in run.trajectory]
        assert passes == sorted(set(passes))
        assert passes[-1] <= run.passes
        assert x.shape == run.pixels.shape


def test_on_a_linear_map_it_comes_to_the_least_change_there_is():
    a = matrix()
    start, target = random_images(3, seed=1), linear(a)(random_images(3, seed=2))
    goal = Goal(cosine=None, residual=0.02, max_passes=3000, on_lattice=False)
    runs = minimise(linear(a), start, target, make_solver("adam", 0.02), goal)
    before = sizes(runs, start)
    shrink(linear(a), start, target, runs, goal)
    for x, t, was, now in zip(start, target, before, sizes(runs, start), strict=True):
        # min |d| with |r0 + A d| = rho: d = -A^T (A A^T + m)^-1 r0, the multiplier m by bisection.
        r0, rho = a @ x.flatten() - t, 0.02 * t.norm()
        low, high = 1e-12, 1e12
        for _ in range(200):
            m = (low * high) ** 0.5
            d = -a.T @ torch.linalg.solve(a @ a.T + m * torch.eye(len(a), dtype=a.dtype), r0)
            low, high = (m, high) if (r0 + a @ d).norm() < rho else (low, m)
        assert was > 1.05 * d.norm().item(), "there must be something to shrink for this to test anything"
        # The slack aimed at and the gain given up at the end are some thousandths each.
        assert d.norm().item() * (1 - 1e-9) <= now <= 1.02 * d.norm().item()


@pytest.mark.parametrize("extra", [0, 1, 2, 3, 4, 5, 17])
@pytest.mark.parametrize("on_lattice", [True, False])
def test_the_budget_is_never_exceeded_and_passes_are_counted_truly(extra, on_lattice):
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    goal = Goal(cosine=0.99, max_passes=1000, on_lattice=on_lattice)
    needed = minimise(curved, start, target, make_solver("adam", 0.01), goal)[0].passes
    goal = replace(goal, max_passes=needed + extra)
    embed = Counting(curved)
    (run,) = runs = minimise(embed, start, target, make_solver("adam", 0.01), goal)
    (before,) = sizes(runs, start)
    shrink(embed, start, target, runs, goal)
    assert run.status is Status.CONVERGED
    assert (embed.forwards, embed.vjps) == (run.forwards, run.vjps)
    assert run.passes <= goal.max_passes
    assert sizes(runs, start)[0] <= before


def test_an_image_in_a_batch_goes_the_way_it_goes_alone():
    start, target = random_images(4, seed=1), curved(random_images(4, seed=2))
    goal, solver = Goal(cosine=0.99, max_passes=150, on_lattice=False), make_solver("lbfgs")
    together = minimise(curved, start, target, solver, goal)
    shrink(curved, start, target, together, goal)
    for i, a in enumerate(together):
        alone = minimise(curved, start[i : i + 1], target[i : i + 1], solver, goal)
        shrink(curved, start[i : i + 1], target[i : i + 1], alone, goal)
        assert (a.forwards, a.vjps) == (alone[0].forwards, alone[0].vjps)
        # Sums in another order, 1e-16 grown over some dozen steps.
        torch.testing.assert_close(a.pixels, alone[0].pixels, rtol=0, atol=1e-9)


@pytest.mark.parametrize("limits", [BOX, Constraints(linf=0.2), Constraints(l2=1.5), Constraints(linf=0.2, l2=1.5)])
def test_the_limits_hold_on_the_way(limits):
    start, target = random_images(1, seed=1, low=0.0, high=1.0), curved(random_images(1, seed=2))
    goal = Goal(cosine=0.95, max_passes=500, on_lattice=False)
    runs = minimise(curved, start, target, make_solver("adam", 0.01), goal, constraints=limits)
    assert runs[0].status is Status.CONVERGED
    seen = []

    def embed(pixels):
        seen.append(pixels.detach())
        return curved(pixels)

    shrink(embed, start, target, runs, goal, constraints=limits)
    assert len(seen) > 5
    for pixels in seen:
        assert 0 <= pixels.min() <= pixels.max() <= 1
        assert (pixels - start).abs().max() <= (limits.linf or 1) + 1e-12
        assert (pixels - start).norm() <= (limits.l2 or 11) + 1e-12


def test_what_did_not_converge_or_did_not_move_is_left_alone():
    start = quantise(random_images(2, seed=1))
    target = torch.stack([curved(start)[0], curved(random_images(1, seed=2))[0]])
    goal = Goal(cosine=0.999, max_passes=8)
    seen = []
    runs = minimise(curved, start, target, make_solver("polyak"), goal)
    before = [(run.status, run.passes, run.pixels.clone()) for run in runs]
    assert [status for status, *_ in before] == [Status.CONVERGED, Status.BUDGET_EXHAUSTED]
    shrink(curved, start, target, runs, replace(goal, max_passes=1000), seen.append)
    for run, (status, passes, pixels) in zip(runs, before, strict=True):
        assert (run.status, run.passes) == (status, passes)
        assert torch.equal(run.pixels, pixels)
    assert [(p.fraction, p.active, p.ended) for p in seen] == [(1.0, 0, 2)]


def test_the_rows_show_the_loss_that_was_made_small():
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    goal = Goal(cosine=0.99, max_passes=200)
    (run,) = runs = minimise(curved, start, target, make_solver("nystrom"), goal, loss=LossName.COSINE)
    rows = len(run.trajectory)
    seen = []
    shrink(curved, start, target, runs, goal, seen.append, LossName.COSINE)
    assert len(run.trajectory) > rows
    for row in run.trajectory[rows:]:
        assert row.loss == pytest.approx(1 - row.cosine, abs=1e-12)
    assert len(seen) == len(run.trajectory) - rows
    assert (seen[-1].fraction, seen[-1].active, seen[-1].ended) == (1.0, 0, 1)


@pytest.mark.parametrize(("goal", "margin"), [(Goal(0.9), 0.3), (Goal(None, 0.4), 0.2), (Goal(0.95, 0.3), 0.1)])
def test_the_slack_has_the_sign_of_the_goal(goal, margin):
    target = curved(random_images(50, seed=2))
    noise = torch.linspace(0, 1, 50)[:, None] * curved(random_images(50, seed=3))
    slack = goal.slack(target + noise, target)
    assert slack.max() <= 1
    assert 0 < (slack >= 0).sum() < 50
    assert torch.equal(slack >= 0, goal.met(target + noise, target))
    assert (goal.met(target + noise, target, margin) >= (slack >= margin)).all()
