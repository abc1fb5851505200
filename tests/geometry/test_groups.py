"""Groups of directions: what a plugin's must keep to, and what is made of it."""

from __future__ import annotations

import pytest
import torch

import vitequiv
from tests.geometry.maps import image, with_singular_values
from tests.loaded import loaded
from vitequiv.errors import PluginError
from vitequiv.geometry.groups import AtImage, draw, find_directions
from vitequiv.geometry.named import NamedDirections
from vitequiv.geometry.spectrum import spectrum
from vitequiv.geometry.subspaces import NormalSpace

M = 60


@pytest.fixture(scope="module")
def point():
    matrix = with_singular_values([3.0, 2.0, 1.0])
    found = spectrum(matrix)
    return AtImage(image(), matrix, found, NormalSpace(found.right))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", ["singular", "random", "null"])
def test_the_builtin_ones_keep_to_it_too(point, name):
    group = find_directions(name)
    vectors = draw(group, point, 5, generator())
    assert vectors.shape == (M, 5 if group.sampled else 3)
    assert torch.allclose(vectors, group.draw(point, 5, generator()))


def fixed(*shape: int, scale: float = 1.0, dtype=torch.float64):
    vectors = torch.ones(shape, dtype=torch.float64) / (shape[0] ** 0.5 if shape else 1) * scale
    return lambda point, count, generator: vectors.to(dtype)


@pytest.mark.parametrize(
    ("function", "sampled", "fault"),
    [
        (fixed(M, 4), True, r"drew vectors \(60, 4\) in place of \(60, 5\)"),
        (fixed(5, M), True, r"drew vectors \(5, 60\) in place of \(60, 5\)"),
        (fixed(M), False, r"drew vectors \(60,\)"),
        (fixed(M, 0), False, r"drew vectors \(60, 0\) in place of \(60, k\)"),
        (fixed(), False, r"drew vectors \(\)"),
        (fixed(M, 5, scale=2.0), True, "drew vectors of length 2 to 2"),
        (fixed(M, 5, scale=0.0), True, "drew vectors of length 0 to 0"),
        (fixed(M, 5, scale=float("nan")), True, "drew vectors of length nan"),
        (fixed(M, 5, dtype=torch.int64), True, "drew torch.int64"),
        (lambda point, count, generator: [1.0], True, "drew list"),
    ],
)
def test_what_it_must_not_draw(point, function, sampled, fault):
    with pytest.raises(PluginError, match=f"group of directions 'mine' {fault}"):
        draw(NamedDirections("mine", "", function, sampled), point, 5, generator())


def test_float32_is_made_exact(point):
    vectors = draw(NamedDirections("mine", "", fixed(M, 5, dtype=torch.float32)), point, 5, generator())
    assert vectors.dtype == torch.float64
    assert (vectors.norm(dim=0) - 1).abs().max() < 1e-15


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


OPTIONS = {"count": 6, "measured": 3, "along": 1, "epsilon": 0.1}


def test_in_a_result_it_stands_beside_the_others(encoder):
    """A group that draws as a built-in one does finds what that finds, of its own directions."""
    pixels = torch.rand(3, 64, 64, generator=generator())
    seen = []

    def like_null(at, count, random):
        assert torch.equal(at.pixels, pixels)
        seen.append(at.normal.sample_null(count, random))
        return seen[-1]

    mine = NamedDirections("mine", "", like_null)
    result = vitequiv.ldlc(encoder, pixels, directions=["null", mine, "singular"], **OPTIONS)
    assert list(result.groups) == ["null", "mine", "singular"]
    group = result.groups["mine"]
    assert len(group.derivatives) == len(group.measured) == 3  # of a plugin's group no more is drawn than is measured
    assert group.along.shape == (1, 5)
    assert result.to_dict()["groups"]["mine"]["measured"]["standard_error"] > 0
    again = vitequiv.ldlc(encoder, pixels, directions=[mine], seed=0, **OPTIONS)
    other = vitequiv.ldlc(encoder, pixels, directions=[mine], seed=1, **OPTIONS)
    assert torch.equal(again.groups["mine"].measured, group.measured)
    assert torch.equal(seen[1], seen[0])
    assert not torch.equal(seen[2], seen[0])
    assert other.groups["mine"].sampled


def test_a_builtin_name_is_not_for_another_group(encoder):
    mine = NamedDirections("null", "", fixed(M, 1))
    with pytest.raises(ValueError, match="that of a built-in group"):
        vitequiv.ldlc(encoder, torch.zeros(3, 64, 64), directions=[mine], **OPTIONS)
    result = vitequiv.ldlc(encoder, torch.rand(3, 64, 64), directions=[find_directions("random")], **OPTIONS)
    assert len(result.groups["random"].derivatives) == 6
