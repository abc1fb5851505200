"""`vitequiv.ldlc` on a real encoder: groups, checks, and the law of random directions."""

from __future__ import annotations

import pytest
import torch

import vitequiv
from tests.loaded import loaded
from vitequiv.tiny.scenes import Split, sample, scene_rng


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip", dtype=torch.float64)


@pytest.fixture(scope="module")
def scenes():
    images = sample(2, scene_rng(Split.HELD_OUT, 11)).images
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2).double() / 255


@pytest.fixture(scope="module")
def result(encoder, scenes):
    return vitequiv.ldlc(
        encoder, scenes[0], directions=("singular", "random", "null", "match"), match=scenes[1], count=4000, measured=40
    )


def test_along_the_singular_vectors_it_is_the_singular_values(result):
    assert result.checks.singular < 1e-2
    assert len(result.groups["singular"].measured) == 127


def test_random_directions_obey_the_closed_form(result):
    # Mean |J d|^2 = |J|_F^2 / m; four standard errors.
    assert abs(result.checks.isotropic - 1) < 4 * result.checks.isotropic_error
    assert result.checks.isotropic_error < 0.05
    group = result.groups["random"]
    assert (len(group.measured), len(group.derivatives)) == (40, 4000)
    torch.testing.assert_close(group.measured, group.derivatives[:40], rtol=0.02, atol=0)


def test_those_drawn_in_law_are_distributed_like_those_made(encoder, scenes):
    made = vitequiv.ldlc(encoder, scenes[0], directions=["random"], count=600, measured=600, epsilon=1e-3, points=3)
    drawn = vitequiv.ldlc(encoder, scenes[0], directions=["random"], count=20_002, measured=2, epsilon=1e-3, points=3)
    a, b = made.groups["random"].derivatives, drawn.groups["random"].derivatives[2:]
    # Kolmogorov and Smirnov: the distance of two samples of 600 and 20,000 exceeds 0.08 once in a thousand.
    grid = torch.cat([a, b]).sort().values
    distance = (torch.searchsorted(a.sort().values, grid, right=True) / 600) - (
        torch.searchsorted(b.sort().values, grid, right=True) / 20_000
    )
    assert distance.abs().max() < 0.08


def test_the_papers_order_null_below_random_below_singular(result):
    medians = {name: float(group.measured.median()) for name, group in result.groups.items()}
    assert medians["null"] < medians["random"] < float(result.singular_values[0])
    assert result.checks.null < 1e-12


def test_nothing_of_the_null_directions_is_normal(result):
    group = result.groups["null"]
    assert (len(group.measured), len(group.derivatives)) == (40, 4000)
    assert result.checks.null_leak < 1e-14
    # What was measured along them is therefore curvature and rounding, not J.
    assert result.checks.null_leak * float(result.singular_values[0]) < 1e-6 * float(group.measured.median())


def test_both_forms_of_the_constant_agree_on_the_plateau(result):
    assert result.checks.forms < 0.05
    for name, group in result.groups.items():
        assert group.along.shape == (1 if name == "match" else 3, 5)
        torch.testing.assert_close(group.along[:, 2], group.derivatives[: len(group.along)], rtol=1e-6, atol=1e-9)


def test_epsilon_is_chosen_and_said(result):
    assert result.chosen
    assert result.epsilon in [row.epsilon for row in result.sweep]
    assert min(row.error for row in result.sweep) < 0.01


def test_the_cost_is_what_it_says(encoder, scenes):
    images = []

    class Counted:
        def __getattr__(self, name):
            return getattr(encoder, name)

        @staticmethod
        def embed(batch):
            images.append(len(batch))
            return encoder.embed(batch)

    found = vitequiv.ldlc(Counted(), scenes[0], count=10, measured=5, epsilon=0.01, points=5, batch_size=8)
    assert found.cost.forwards == 1 + (127 + 5 + 5) * 4 + 3
    # Three directions of each of three groups, five points, two passes in forward mode (whose images are seen once).
    assert found.cost.jvps == 2 * 3 * 3 * 5
    assert sum(images) == found.cost.forwards + found.cost.jvps // 2
    assert found.cost.vjps == 128 + 2
    assert found.sweep == ()


def test_the_same_seed_gives_the_same_numbers(encoder, scenes):
    one, two = (
        vitequiv.ldlc(encoder, scenes[0], directions=["random", "null"], count=50, measured=5, seed=3) for _ in range(2)
    )
    for name in ("random", "null"):
        assert torch.equal(one.groups[name].measured, two.groups[name].measured)
        assert torch.equal(one.groups[name].derivatives, two.groups[name].derivatives)


def test_the_directions_of_a_group_do_not_depend_on_the_others(encoder, scenes):
    few = {"count": 50, "measured": 5, "seed": 3, "epsilon": 1e-3}
    alone = vitequiv.ldlc(encoder, scenes[0], directions=["null"], **few)
    beside = vitequiv.ldlc(encoder, scenes[0], directions=["random", "null", "null"], **{**few, "count": 70})
    assert list(beside.groups) == ["random", "null"]
    assert torch.equal(alone.groups["null"].measured, beside.groups["null"].measured)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"directions": ["match"]}, "needs a matched image"),
        ({"directions": ["sideways"]}, "sideways"),
        ({"count": 5, "measured": 6}, "6 of 5"),
        ({"measured": 0}, "0 of 10000"),
        ({"epsilon": -1.0}, "positive number"),
        ({"points": 2}, "odd number"),
        ({"along": -1}, "fewer than none"),
    ],
)
def test_misuse(encoder, scenes, arguments, message):
    with pytest.raises(ValueError, match=message):
        vitequiv.ldlc(encoder, scenes[0], **arguments)
