"""Straight lines against their closed forms."""

from __future__ import annotations

import pytest
import torch

from tests.matching.maps import matrix, random_images
from tests.paths.maps import counting, linear
from vitequiv.paths.yardstick import yardstick

START, END = random_images(2, seed=1)
RANDOMS = torch.randn((4, *START.shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_linear_map_drifts_in_proportion(monkeypatch):
    embed, passes = counting(linear, monkeypatch)
    target = linear(START[None])[0]
    found = yardstick(embed, START, target, RANDOMS, END, 0.02)
    for length, way in zip((*found.random, found.straight), (*RANDOMS, END - START), strict=True):
        unit = (way / way.norm()).flatten()
        exact = 0.02 * target.norm() / (matrix() @ unit).norm()
        assert length == pytest.approx(exact.item(), rel=2**-8)  # as fine as it bisects
        assert length <= exact
    assert found.random_median == pytest.approx(torch.tensor(found.random).quantile(0.5).item())
    assert found.forwards == passes.forwards <= 19 * 5


def test_the_box_and_the_end_are_the_limit():
    still = torch.ones(1, 5).double()
    found = yardstick(lambda x: still.expand(len(x), -1), START, still[0], RANDOMS, END, 0.02)
    assert found.straight == pytest.approx((END - START).norm().item(), rel=1e-12)
    for length, way in zip(found.random, RANDOMS, strict=True):
        diagonal = START.numel() ** 0.5
        furthest = (START + diagonal * way / way.norm()).clamp(0, 1)
        assert length == pytest.approx((furthest - START).norm().item(), rel=1e-12)


def test_without_an_end():
    found = yardstick(linear, START, linear(START[None])[0], RANDOMS, None, 0.02)
    assert found.straight is None
    assert len(found.random) == 4
