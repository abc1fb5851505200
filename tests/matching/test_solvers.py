"""Each solver against a reference: dense formulas, torch's own optimiser, known optima."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.matching.maps import DIM, PIXELS, curved, linear, matrix, random_images
from vitequiv.matching.goal import Goal
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import SolverName
from vitequiv.matching.objective import squared_distance
from vitequiv.matching.solver import dot
from vitequiv.matching.solvers import SOLVERS, make_solver
from vitequiv.matching.solvers.adam import Adam
from vitequiv.matching.solvers.gd import GradientDescent
from vitequiv.matching.solvers.lbfgs import LBFGS
from vitequiv.matching.solvers.nystrom import Nystrom, _across, _solve
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.precision import wide_dtype
from vitequiv.results.status import Status

GOAL = Goal(cosine=0.999, max_passes=2000, on_lattice=False)
# On these maps sigma_1 is about 1, so gradient descent is stable for the linear map; the curved one is steeper.
QUICK = {SolverName.GD: 0.01, SolverName.ADAM: 0.01}


def quick(name: SolverName):
    return make_solver(name, QUICK.get(name))


def test_every_name_has_a_solver():
    assert set(SOLVERS) == set(SolverName)


@pytest.mark.parametrize("name", list(SolverName))
@pytest.mark.parametrize("embed", [linear(matrix()), curved], ids=["linear", "curved"])
def test_every_solver_reaches_the_goal(name, embed):
    target = embed(random_images(4, seed=2))
    runs = minimise(embed, random_images(4, seed=1), target, quick(name), GOAL)
    for run, t in zip(runs, target, strict=True):
        assert run.status is Status.CONVERGED
        assert torch.nn.functional.cosine_similarity(embed(run.pixels[None])[0], t, dim=0) >= 0.999


def test_gradient_is_the_dense_jacobian_transposed_times_the_residual():
    pixels, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    dense = torch.autograd.functional.jacobian(lambda x: curved(x[None])[0], pixels[0]).reshape(DIM, PIXELS)
    point = Linearisation(curved, pixels)
    residual = point.embedding - target
    # Float64 products of a few hundred terms agree to about 1e-14.
    torch.testing.assert_close(point.pullback(residual).flatten(), (dense.T @ residual[0]), rtol=1e-12, atol=1e-12)
    assert point.vjps == 1


def test_gd_is_equation_4_step_by_step():
    a, x, target = matrix(), random_images(1, seed=1), matrix() @ random_images(1, seed=2).flatten()
    step, iterations = 0.1, 7
    goal = Goal(cosine=1.0, max_passes=2 * iterations + 1, on_lattice=False)
    runs = minimise(linear(a), x, target[None], GradientDescent(step), goal)
    flat = x.flatten()
    losses = []
    for _ in range(iterations + 1):
        residual = a @ flat - target
        losses.append(residual.square().sum().item() / 2)
        flat = flat - step * a.T @ residual
    assert [row.loss for row in runs[0].trajectory] == pytest.approx(losses, rel=1e-12)


@pytest.mark.parametrize("solver", [GradientDescent(0.3), Polyak(), Nystrom()], ids=["gd", "polyak", "nystrom"])
def test_steepest_descent_on_a_linear_map_finds_the_nearest_match(solver):
    a, x, t = matrix(), random_images(1, seed=1), random_images(1, seed=2)
    goal = Goal(cosine=None, residual=1e-9, max_passes=4000, on_lattice=False)
    run = minimise(linear(a), x, linear(a)(t), solver, goal)[0]
    nearest = x.flatten() + torch.linalg.pinv(a) @ (a @ (t - x).flatten())
    assert run.status is Status.CONVERGED
    # The residual goal of 1e-9 leaves an error of about 1e-9 / sigma_n, with sigma_n about 0.8.
    torch.testing.assert_close(run.pixels.flatten(), nearest, rtol=0, atol=1e-8)


def test_polyak_step_length_is_loss_over_squared_gradient():
    a, x, target = matrix(), random_images(2, seed=1), linear(matrix())(random_images(2, seed=2))
    point = Linearisation(linear(a), x)
    residual = point.embedding - target
    moved, _ = Polyak(1.0).step(None, point, residual)
    gradient = residual @ a
    length = (residual.square().sum(1) / 2) / gradient.square().sum(1)
    torch.testing.assert_close((x - moved).flatten(1), length[:, None] * gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("solver", [Polyak(), Nystrom()], ids=["polyak", "nystrom"])
def test_stays_where_the_gradient_is_zero(solver):
    pixels = random_images(1, seed=1)
    point = Linearisation(lambda x: 0 * x.flatten(1)[:, :DIM], pixels)
    moved, _ = solver.step(None, point, torch.ones(1, DIM, dtype=torch.float64))
    assert torch.equal(moved, pixels)


def test_nystrom_begins_with_a_polyak_step():
    a, x, target = matrix(), random_images(2, seed=1), linear(matrix())(random_images(2, seed=2))
    point = Linearisation(linear(a), x)
    by_polyak, _ = Polyak(0.5).step(None, point, point.embedding - target)
    moved, _ = Nystrom(0.25).step(None, point, point.embedding - target)
    torch.testing.assert_close(moved, by_polyak, rtol=1e-12, atol=1e-14)


def test_nystrom_knows_a_linear_map_once_it_has_seen_all_directions():
    a, r = matrix(), random_images(2, seed=1).flatten(1)[:, :DIM]
    gram = a @ a.T
    state = Nystrom(memory=DIM)._first(random_images(2, seed=2), r)
    cotangents = torch.randn(2, DIM, DIM, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    state = replace(state, cotangents=cotangents, changes=cotangents @ gram, rest=torch.full((2,), 1e-6).double())
    y, known, unknown = _solve(state, r, steep=1.0)
    torch.testing.assert_close(y, torch.linalg.solve(gram, r.T).T, rtol=1e-8, atol=0)
    torch.testing.assert_close(known, (y * (y @ gram)).sum(1), rtol=1e-8, atol=0)
    assert (unknown < 1e-8 * r.square().sum(1) / 1e-12).all()


def test_nystrom_takes_one_number_for_what_it_has_not_seen():
    gram = torch.diag(torch.tensor([9.0, 4.0, 1.0, 1.0, 1.0], dtype=torch.float64))
    state = Nystrom(memory=3)._first(random_images(1, seed=2), torch.ones(1, DIM).double())
    cotangents = torch.zeros(1, 3, DIM, dtype=torch.float64)  # the first place is empty yet
    cotangents[0, 1:, :2] = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
    state = replace(state, cotangents=cotangents, changes=cotangents @ gram, rest=torch.full((1,), 0.25).double())
    y, known, unknown = _solve(state, torch.ones(1, DIM, dtype=torch.float64), steep=1.0)
    torch.testing.assert_close(y, torch.tensor([[1 / 9, 1 / 4, 4, 4, 4]]).double(), rtol=1e-6, atol=0)
    assert known.item() == pytest.approx(1 / 9 + 1 / 4)
    assert unknown.item() == pytest.approx(48)
    y, known, unknown = _solve(state, torch.ones(1, DIM, dtype=torch.float64), steep=0.05)
    # 0.05 * 9 is above the 0.25 of the rest, 0.05 * 4 below it.
    torch.testing.assert_close(y, torch.tensor([[1 / 0.45, 4, 4, 4, 4]]).double(), rtol=1e-6, atol=0)
    assert known.item() == pytest.approx(9 / 0.45**2 + 4 * 4**2)
    assert unknown.item() == pytest.approx(48)


def test_nystrom_sheds_a_displacement_that_the_embedding_does_not_feel():
    a, start, target = matrix(), random_images(1, seed=1), linear(matrix())(random_images(1, seed=2))
    idle = random_images(1, seed=3).flatten()
    idle = (idle - torch.linalg.pinv(a) @ (a @ idle)).view_as(start)
    lengths = {}
    for shed in (0.0, 0.6):
        solver, x = Nystrom(shed=shed), start + idle
        state = solver._first(start, linear(a)(start))
        for _ in range(60):
            point = Linearisation(linear(a), x)
            x, state = solver.step(state, point, point.embedding - target)
        lengths[shed] = ((x - start) * idle).sum() / idle.square().sum()
        assert (linear(a)(x) - target).norm() < 1e-3 * (linear(a)(start) - target).norm()
    assert lengths[0.0] == pytest.approx(1)  # steps alone never take it back
    assert lengths[0.6] < 0.98


def test_nystrom_keeps_what_the_last_two_steps_changed():
    first, second, other = (random_images(1, seed=seed) for seed in (1, 2, 3))
    idle = _across(other, second, first)
    for kept in (first, second):
        assert dot(idle, kept).item() == pytest.approx(0, abs=1e-10)
        torch.testing.assert_close(_across(other + kept, second, first), idle, rtol=0, atol=1e-12)
    alone = other - (dot(other, second) / dot(second, second)).item() * second
    for nothing_new in (torch.zeros_like(first), 3 * second):
        torch.testing.assert_close(_across(other, second, nothing_new), alone, rtol=0, atol=1e-12)
    assert torch.equal(_across(other, torch.zeros_like(first), torch.zeros_like(first)), other)


def test_nystrom_sheds_less_where_a_step_brings_nothing():
    solver, x = Nystrom(), random_images(1, seed=1)
    point = Linearisation(linear(matrix()), x)
    residual = torch.ones(1, DIM, dtype=torch.float64)
    _, state = solver.step(None, point, residual)
    _, state = solver.step(state, point, residual)
    assert state.shed.item() == 0.5
    _, state = solver.step(state, point, residual / 2)
    assert state.shed.item() == pytest.approx(0.525)


def test_nystrom_is_not_disturbed_by_an_image_that_is_not_finite():
    a, x, target = matrix(), random_images(3, seed=1), linear(matrix())(random_images(3, seed=2))
    goal = Goal(cosine=None, residual=1e-3, on_lattice=False)
    broken = target.clone()
    broken[1] = torch.nan
    alone = minimise(linear(a), x[[0, 2]], target[[0, 2]], Nystrom(), goal)
    runs = minimise(linear(a), x, broken, Nystrom(), goal)
    assert [run.status for run in runs] == [Status.CONVERGED, Status.NON_FINITE, Status.CONVERGED]
    for run, other in zip(runs[::2], alone, strict=True):
        # Products of three rows and of two add up in another order, and each step builds on the last: 1e-9 with AVX2.
        torch.testing.assert_close(run.pixels, other.pixels, rtol=1e-6, atol=1e-6)


def test_adam_is_torchs_adam():
    x, target = random_images(2, seed=1), curved(random_images(2, seed=2))
    parameter = torch.nn.Parameter(x.clone())
    optimiser = torch.optim.Adam([parameter], lr=0.01)
    ours, solver = x, Adam(0.01)
    state = solver.init(x)
    for _ in range(10):
        optimiser.zero_grad()
        squared_distance(curved(parameter) - target).sum().backward()
        optimiser.step()
        point = Linearisation(curved, ours)
        ours, state = solver.step(state, point, point.embedding - target)
    # The same arithmetic in another order.
    torch.testing.assert_close(ours, parameter.detach(), rtol=1e-10, atol=1e-12)


def test_lbfgs_needs_fewer_passes_than_gd_on_an_ill_conditioned_map():
    a = torch.diag(torch.tensor([1, 0.8, 0.5, 0.3, 0.2], dtype=torch.float64)) @ torch.linalg.qr(matrix().T)[0].T
    x, target = random_images(3, seed=1, low=0.45, high=0.55), linear(a)(random_images(3, seed=2, low=0.45, high=0.55))
    goal = Goal(cosine=None, residual=1e-4, max_passes=4000, on_lattice=False)
    gd = minimise(linear(a), x, target, GradientDescent(1.0), goal)
    lbfgs = minimise(linear(a), x, target, LBFGS(), goal)
    for slow, fast in zip(gd, lbfgs, strict=True):
        assert slow.status is fast.status is Status.CONVERGED
        assert fast.passes < slow.passes / 2


@pytest.mark.parametrize("step", [0.0, -1.0])
def test_a_step_size_must_be_positive(step):
    with pytest.raises(ValueError, match="step size must be above 0"):
        make_solver("gd", step)


def test_an_unknown_solver_names_the_known():
    with pytest.raises(ValueError, match="known are nystrom, polyak, gd, adam, lbfgs"):
        make_solver("newton")


@pytest.mark.parametrize(("device", "dtype"), [("cpu", torch.float64), ("cuda", torch.float64), ("mps", torch.float32)])
def test_sums_are_as_wide_as_the_device_allows(device, dtype):
    assert wide_dtype(torch.device(device)) is dtype
