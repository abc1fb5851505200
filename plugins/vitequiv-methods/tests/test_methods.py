"""vitequiv's checks, and what is known of each thing."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import torch
from vitequiv_methods.momentum import Momentum
from vitequiv_methods.plugin import draw_pixels, wipe

from vitequiv import interpolate, ldlc, load_encoder, match
from vitequiv.geometry.named import NamedDirections
from vitequiv.paths.named import NamedPath
from vitequiv.plugins.kinds import DIRECTIONS, PATH, SOLVER
from vitequiv.plugins.registry import load_registry
from vitequiv.testing import check_directions, check_path, check_solver, registry_of

MODULE = "vitequiv_methods.plugin"


def registered(kind, name):
    return load_registry(kind, [EntryPoint(MODULE, MODULE, "vitequiv")]).get(name)


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny-clip")


@pytest.fixture(scope="module")
def images():
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_they_are_registered():
    registry_of(MODULE)  # raises if a hook fails
    assert check_solver(registered(SOLVER, "momentum")).not_applicable == {}
    assert check_directions(registered(DIRECTIONS, "pixels")).not_applicable == {}
    assert check_path(registered(PATH, "wipe")).not_applicable == {}


def test_momentum_is_gradient_descent_without_it(encoder, images):
    """And with it needs fewer passes."""
    start, target = images[:1], images[1:]
    options = {"cosine": 0.99999, "max_passes": 40, "on_lattice": False}
    (plain,) = match(encoder, start, target, solver="gd", **options)
    (none,) = match(encoder, start, target, solver=Momentum(kept=0.0), **options)
    (some,) = match(encoder, start, target, solver=Momentum(), **options)
    assert torch.allclose(none.pixels, plain.pixels, atol=1e-6)
    assert some.cosine.final > plain.cosine.final


def test_along_single_pixels_the_derivative_is_a_column_of_the_jacobian(encoder, images):
    seen = []

    def spy(point, count, generator):
        vectors = draw_pixels(point, count, generator)
        seen.append((point.matrix.double() @ vectors.double()).norm(dim=0))
        return vectors

    group = NamedDirections("pixels", "", spy)
    result = ldlc(encoder, images[0], directions=[group], count=8, measured=8, along=0, epsilon=0.1)
    assert torch.allclose(result.groups["pixels"].derivatives, seen[0])


def test_the_wipe_takes_whole_columns(encoder, images):
    result = interpolate(encoder, *images, path=NamedPath("wipe", "", wipe), steps=5)
    middle = result.pixels[2]
    assert torch.equal(middle[..., :32], images[1][..., :32])
    assert torch.equal(middle[..., 32:], images[0][..., 32:])
    assert torch.equal(result.pixels[-1], images[1])
    assert result.cost.passes == 5
