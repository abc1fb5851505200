"""Corrections against the dense solution, and what the memory of earlier systems saves."""

from __future__ import annotations

import pytest
import torch

from tests.geometry.maps import M, curved, image, linear, reference, with_singular_values
from vitequiv.geometry.operator import Jacobian
from vitequiv.paths.projection import Corrector

LINEAR = with_singular_values([30.0, 10.0, 5.0, 1.0, 0.3, 0.1, 0.03], n=7)


@pytest.mark.parametrize("embed", [linear(LINEAR), curved])
@pytest.mark.parametrize("damping", [1e-1, 1e-4])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_correction_is_the_damped_least_squares_one(embed, damping, weighted):
    x = image()
    weights = torch.rand(M, generator=torch.Generator().manual_seed(1)).double() if weighted else torch.ones(M).double()
    j = reference(embed, x)
    wanted = j @ image(3).flatten()
    system = j * weights @ j.T + damping * torch.eye(len(j)).double()
    exact = weights * (j.T @ torch.linalg.solve(system, wanted))
    corrector = Corrector(damping)
    for share in (1.0, 0.5):  # the second begins at the solution of the first
        found = corrector.solve(Jacobian(embed, x), weights, share * wanted, share, 1e-10, 10_000)
        # A residual of 1e-10 in a system whose least eigenvalue is the damping, then a product with J of norm 30.
        assert (found - share * exact).norm() <= 30 * 1e-10 / damping + 1e-10


def test_the_budget_holds_and_one_for_every_direction_is_enough():
    x, embed = image(), linear(LINEAR)
    wanted = LINEAR @ image(3).flatten()
    errors = []
    for budget in (3, 4, 7, 10, 80):
        jacobian = Jacobian(embed, x)
        found = Corrector(1e-6).solve(jacobian, torch.ones(M).double(), wanted, 1.0, 0.0, budget)
        assert jacobian.passes <= budget
        errors.append(float((LINEAR @ found - wanted).norm()))
    assert errors[0] == pytest.approx(float(wanted.norm())), "without passes there is no correction"
    assert errors[-1] < 1e-3 * errors[0]


def test_earlier_systems_make_later_ones_cheap():
    """The same system with another right side: its inverse is known from the first, up to rounding."""
    x, embed = image(), linear(LINEAR)
    ones = torch.ones(M).double()
    costs = []
    corrector = Corrector(1e-4)
    for seed in (3, 4, 5):
        jacobian = Jacobian(embed, x)
        corrector.solve(jacobian, ones, LINEAR @ image(seed).flatten(), 1.0, 1e-6, 10_000)
        costs.append(jacobian.passes)
    assert costs[0] >= 14, "the first must take all seven directions for this to test anything"
    assert costs[1] <= 8
    assert costs[2] <= 8


def test_nothing_wanted_is_nothing_done():
    jacobian = Jacobian(curved, image())
    found = Corrector(1e-3).solve(jacobian, torch.ones(M).double(), torch.zeros(5).double(), 1.0, 1e-9, 100)
    assert torch.equal(found, torch.zeros(M).double())
    assert jacobian.passes == 1
