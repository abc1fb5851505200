"""The cosine loss against its definition, finite differences and its symmetries; a target that is an embedding."""

from __future__ import annotations

import pytest
import torch

import vitequiv
from tests.loaded import loaded
from tests.matching.maps import DIM, Counting, curved, random_images
from tests.matching.test_api import images
from vitequiv.matching.goal import Goal
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import LossName, SolverName
from vitequiv.matching.objective import CHARTS, direction, squared_distance
from vitequiv.matching.solvers import make_solver
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.status import Status

GOAL = Goal(cosine=0.999, max_passes=2000, on_lattice=False)
# Steps on these maps, where sigma_1 is about 1; the cosine's gradient is smaller by about the square of the embedding's
# length, 5 to 10 on the curved map, which matters to the solver with a constant step alone.
QUICK = {SolverName.GD: 0.1, SolverName.ADAM: 0.01}
DEFINITIONS = {
    LossName.DISTANCE: lambda f, t: (f - t).square().sum(1) / 2,
    LossName.COSINE: lambda f, t: 1 - (f * t).sum(1) / f.norm(dim=1) / t.norm(dim=1),
}


def vectors(seed: int) -> torch.Tensor:
    return torch.randn((4, DIM), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def central_differences(function, x: torch.Tensor, step: float = 1e-5) -> torch.Tensor:
    """The gradient of a sum of values a row, entry by entry; the error is about step^2."""
    gradient = torch.empty_like(x)
    for index in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        up, down = x.clone(), x.clone()
        up[tuple(index)] += step
        down[tuple(index)] -= step
        gradient[tuple(index)] = (function(up).sum() - function(down).sum()) / (2 * step)
    return gradient


@pytest.mark.parametrize("loss", list(LossName))
def test_every_loss_is_half_the_squared_distance_in_its_chart(loss):
    f, t, chart = vectors(1), vectors(2), CHARTS[loss]
    torch.testing.assert_close(squared_distance(chart(f) - chart(t)), DEFINITIONS[loss](f, t), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("loss", list(LossName))
def test_the_cotangent_of_the_embedding_against_finite_differences(loss):
    f, t, chart = vectors(1), vectors(2), CHARTS[loss]
    _, cotangent = torch.autograd.functional.vjp(chart, f, chart(f) - chart(t))
    # Third derivatives of order 1 times the squared step of 1e-10.
    expected = central_differences(lambda x: DEFINITIONS[loss](x, t), f)
    torch.testing.assert_close(cotangent, expected, rtol=1e-8, atol=1e-9)


def test_the_cotangent_of_the_cosine_in_closed_form():
    f, t = vectors(1), vectors(2)
    _, cotangent = torch.autograd.functional.vjp(direction, f, direction(f) - direction(t))
    u, v = direction(f), direction(t)
    expected = -(v - u * (u * v).sum(1, keepdim=True)) / f.norm(dim=1, keepdim=True)
    torch.testing.assert_close(cotangent, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", list(LossName))
def test_the_pullback_is_the_gradient_of_the_loss(loss):
    x, t, chart = random_images(1, seed=1), curved(random_images(1, seed=2)), CHARTS[loss]
    point = Linearisation(curved, x, chart)
    assert torch.equal(point.raw, curved(x))
    expected = central_differences(lambda pixels: DEFINITIONS[loss](curved(pixels), t), x)
    torch.testing.assert_close(point.pullback(point.embedding - chart(t)), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", list(SolverName))
def test_every_solver_reaches_the_goal_by_the_cosine(name):
    target = curved(random_images(4, seed=2))
    solver = make_solver(name, QUICK.get(name))
    for x, t in zip(random_images(4, seed=1), target, strict=True):
        embed = Counting(curved)
        (run,) = minimise(embed, x[None], t[None], solver, GOAL, loss=LossName.COSINE)
        assert run.status is Status.CONVERGED
        assert torch.nn.functional.cosine_similarity(curved(run.pixels[None])[0], t, dim=0) >= 0.999
        for row in run.trajectory:
            assert row.loss == pytest.approx(1 - row.cosine, abs=1e-12)
        assert (embed.forwards, embed.vjps) == (run.forwards, run.vjps), "the chart costs no pass"


def test_lengths_do_not_matter_to_the_cosine():
    start, target = random_images(3, seed=1), curved(random_images(3, seed=2))
    # Factors that are powers of two leave every rounding as it was.
    ways = [
        minimise(lambda x, k=k: k * curved(x), start, factor * target, Polyak(), GOAL, loss=LossName.COSINE)
        for k, factor in ((1, 1), (1, 8), (4, 1))
    ]
    for runs in zip(*ways, strict=True):
        assert len({run.passes for run in runs}) == 1
        assert torch.equal(runs[0].pixels, runs[1].pixels)
        assert torch.equal(runs[0].pixels, runs[2].pixels)


def test_a_zero_embedding_has_no_direction_and_moves_nothing():
    target = curved(random_images(1, seed=2))
    (run,) = minimise(
        lambda x: 0 * x.flatten(1)[:, :DIM], random_images(1, seed=1), target, Polyak(), GOAL, loss=LossName.COSINE
    )
    assert run.status is Status.STALLED
    assert torch.equal(run.pixels, random_images(1, seed=1)[0])


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


@pytest.mark.parametrize("loss", list(LossName))
def test_an_embedding_is_as_good_as_the_image_it_is_of(encoder, loss):
    sources, targets = images(2, 1), images(2, 2)
    by_image = vitequiv.match(encoder, sources, targets, cosine=0.9, loss=loss)
    embeddings = torch.stack([result.target for result in by_image])
    by_vector = vitequiv.match(encoder, sources, embeddings=embeddings, cosine=0.9, loss=loss)
    for a, b in zip(by_image, by_vector, strict=True):
        assert torch.equal(a.pixels, b.pixels)
        assert (a.status, a.cosine, a.relative_residual, a.trajectory) == (
            b.status,
            b.cosine,
            b.relative_residual,
            b.trajectory,
        )


@pytest.mark.parametrize(("sources", "shape"), [(3, (128,)), (3, (1, 128)), (1, (3, 128)), (3, (3, 128))])
def test_one_embedding_serves_all(encoder, sources, shape):
    assert encoder.embedding_dim == 128
    with torch.no_grad():
        embeddings = encoder.embed(images(3, 2))[: shape[0] if len(shape) == 2 else 1].reshape(shape)
    results = vitequiv.match(encoder, images(sources, 1), embeddings=embeddings.double(), max_passes=3)
    assert len(results) == 3
    for result, wanted in zip(results, embeddings.expand(3, -1), strict=True):
        assert torch.equal(result.target, wanted)


def test_the_residual_measured_is_the_distance_whatever_the_loss(encoder):
    (result,) = vitequiv.match(encoder, images(1, 1), images(1, 2), cosine=0.9, loss="cosine")
    with torch.no_grad():
        start, end = encoder.embed(images(1, 1))[0].double(), encoder.embed(result.pixels[None])[0].double()
    target = result.target.double()
    for measured, f in ((result.relative_residual.initial, start), (result.relative_residual.final, end)):
        assert measured == pytest.approx(((f - target).norm() / target.norm()).item(), rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "got neither"),
        ({"targets": images(1, 2), "embeddings": torch.ones(128)}, "got both"),
        ({"embeddings": torch.ones(127)}, r"shape \(B, 128\) for tiny-clip, got torch.float32 of shape \(127,\)"),
        ({"embeddings": torch.ones(2, 1, 128)}, "got torch.float32 of shape"),
        ({"embeddings": torch.ones(128, dtype=torch.int64)}, "got torch.int64"),
        ({"embeddings": torch.full((128,), torch.nan)}, "must be finite"),
        ({"embeddings": torch.ones(3, 128)}, "2 sources and 3 targets"),
        ({"embeddings": torch.zeros(128), "loss": "cosine"}, "no direction to match"),
        ({"targets": images(1, 2), "loss": "l1"}, "choose from distance, cosine"),
    ],
)
def test_misuse(encoder, arguments, message):
    with pytest.raises(ValueError, match=message):
        vitequiv.match(encoder, images(2, 1), **arguments)
