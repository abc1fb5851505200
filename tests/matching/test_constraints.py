"""Limits on the change: exact projection, and that no point of a match breaks them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from tests.matching.maps import curved, random_images
from vitequiv.matching.constraints import BOX, Constraints
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import SolverName
from vitequiv.matching.solvers import make_solver
from vitequiv.results.status import Status

LIMITS = [
    Constraints(linf=0.1),
    Constraints(l2=0.8),
    Constraints(l2=3.0),
    Constraints(linf=0.1, l2=0.8),
    Constraints(linf=0.3, l2=2.5),
]


def cloud(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Starts in the box, some values at its bounds, and points far outside: (7, 3, 6, 6) each."""
    start = random_images(7, seed, low=-0.2, high=1.2).clamp(0, 1)
    away = random_images(7, seed + 1, low=-1.0, high=1.0)
    return start, start + away * torch.tensor([0.0, 1e-3, 0.1, 0.5, 1.0, 10.0, 1e4]).view(-1, 1, 1, 1).double()


def dykstra(z: np.ndarray, start: np.ndarray, limits: Constraints, rounds: int = 20_000) -> np.ndarray:
    """The projection on an intersection, from the projections on box and ball alone (Boyle and Dykstra, 1986)."""
    room = limits.linf or 1.0
    low, high = np.maximum(start - room, 0), np.minimum(start + room, 1)
    x, p, q = z.copy(), np.zeros_like(z), np.zeros_like(z)
    for _ in range(rounds):
        y = np.clip(x + p, low, high)
        p = x + p - y
        way = y + q - start
        x = start + way * min(1.0, (limits.l2 or np.inf) / max(np.linalg.norm(way), 1e-300))
        q = y + q - x
    return x


def multiplier(z: np.ndarray, start: np.ndarray, limits: Constraints) -> np.ndarray:
    """The same from the KKT conditions, with scipy's root finder for the multiplier."""
    room = limits.linf or 1.0
    low, high = np.maximum(start - room, 0), np.minimum(start + room, 1)

    def at(a: float) -> np.ndarray:
        return np.clip(start + a * (z - start), low, high)

    def excess(a: float) -> float:
        return float(np.linalg.norm(at(a) - start)) - limits.l2

    if limits.l2 is None or excess(1.0) <= 0:
        return at(1.0)
    return at(brentq(excess, 0.0, 1.0, xtol=1e-18, rtol=1e-14))


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("seed", [1, 5])
def test_the_projection_is_the_root_of_its_kkt_conditions(limits, seed):
    start, z = cloud(seed)
    found = limits.project(z, start)
    for one, x, s in zip(found.numpy(), z.numpy(), start.numpy(), strict=True):
        np.testing.assert_allclose(one, multiplier(x, s, limits), rtol=0, atol=1e-10)


@pytest.mark.parametrize("limits", LIMITS)
def test_the_projection_is_that_of_dykstra(limits):
    start, z = cloud(3)
    found = limits.project(z, start)
    for i in (1, 2, 3, 4):  # from further away Dykstra takes too many rounds
        # Its convergence is linear at best; 1e-6 is a thousandth of the changes at hand.
        np.testing.assert_allclose(found[i].numpy(), dykstra(z[i].numpy(), start[i].numpy(), limits), rtol=0, atol=1e-6)


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_projection_is_allowed_idempotent_and_the_nearest(limits, dtype):
    start, z = (side.to(dtype) for side in cloud(7))
    found = limits.project(z, start)
    # Rounding a value in [0, 1]; over 108 of them in the norm.
    ulp = torch.finfo(dtype).eps
    change = (found - start).double().flatten(1)
    assert found.dtype == dtype
    assert 0 <= found.min() <= found.max() <= 1
    assert change.abs().max() <= (limits.linf or 1) + ulp
    assert change.norm(dim=1).max() <= (limits.l2 or 11) + 11 * ulp
    assert torch.equal(found[0], start[0]), "what is allowed must not move"
    torch.testing.assert_close(limits.project(found, start), found, rtol=0, atol=2 * ulp)
    # The obtuse angle that characterises a projection on a convex set, to points of the set.
    inside = limits.project(torch.rand_like(start), start)
    angle = ((z - found).double() * (inside - found).double()).flatten(1).sum(1)
    assert (angle <= 1e3 * ulp * (z - found).double().flatten(1).norm(dim=1)).all()


def test_the_box_alone_is_a_clamp_to_the_bit():
    start, z = cloud(9)
    assert torch.equal(BOX.project(z, start), z.clamp(0, 1))


@pytest.mark.parametrize("limits", LIMITS)
def test_what_is_not_a_number_is_seen(limits):
    start, z = cloud(11)
    z[3, 0, 0, 0] = torch.nan
    found = limits.project(z, start)
    assert found[3].isnan().any()
    assert found[[0, 1, 2, 4, 5, 6]].isfinite().all()


@pytest.mark.parametrize("name", list(SolverName))
@pytest.mark.parametrize("limits", [Constraints(linf=0.01), Constraints(l2=0.05), Constraints(linf=0.01, l2=0.08)])
def test_no_point_of_a_match_breaks_the_limits(name, limits):
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    seen = []

    def embed(pixels):
        seen.append(pixels.detach() - start)
        return curved(pixels)

    goal = Goal(cosine=0.999999, max_passes=300, on_lattice=False)
    (run,) = minimise(embed, start, target, make_solver(name), goal, constraints=limits)
    free = minimise(curved, start, target, make_solver(name), goal)[0].pixels - start[0]
    assert free.abs().max() > (limits.linf or 0), "the limits must bind for this to test anything"
    assert free.norm() > (limits.l2 or 0)
    assert len(seen) > 3
    assert max(change.abs().max().item() for change in seen) <= (limits.linf or 1) + 1e-12
    assert max(change.norm().item() for change in seen) <= (limits.l2 or 11) + 1e-12
    assert run.loss < run.trajectory[0].loss


def test_a_goal_out_of_reach_is_a_stall():
    start, target = random_images(1, seed=1), curved(random_images(1, seed=2))
    goal = Goal(cosine=0.9999)
    (run,) = minimise(curved, start, target, make_solver("nystrom"), goal, constraints=Constraints(l2=0.05))
    assert run.status is Status.STALLED


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"linf": 0.0}, "linf must be"),
        ({"linf": 1.5}, "linf must be"),
        ({"linf": float("nan")}, "linf must be"),
        ({"l2": 0.0}, "l2 must be"),
        ({"l2": float("inf")}, "l2 must be"),
        ({"l2": float("nan")}, "l2 must be"),
    ],
)
def test_limits_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Constraints(**arguments)
