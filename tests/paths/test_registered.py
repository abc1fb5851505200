"""A plugin's path: its points, its passes, and what it must keep to."""

from __future__ import annotations

import pytest
import torch

import vitequiv
from tests.loaded import loaded
from vitequiv.errors import PluginError
from vitequiv.paths.named import NamedPath
from vitequiv.paths.registered import registered_path
from vitequiv.paths.request import OutOfPassesError
from vitequiv.results.status import Status
from vitequiv.testing.bench import embed, images

START, END = images(2, 0)


def straight(request):
    for i in range(request.steps):
        yield torch.lerp(request.start, request.end, i / (request.steps - 1))


def go(points, steps=5, max_passes=100, arrives=True, told=None):
    path = NamedPath("mine", "", points, arrives)
    generator = torch.Generator().manual_seed(0)
    return registered_path(
        embed, path, START, END, steps=steps, max_passes=max_passes, generator=generator, observe=told
    )


def test_its_points_are_embedded_one_after_the_other():
    told = []
    trace = go(straight, told=lambda *counts: told.append(counts))
    assert trace.status is Status.CONVERGED
    assert trace.message == "All 5 points were embedded."
    assert torch.equal(trace.pixels[0], START)
    assert torch.equal(trace.pixels[-1], END)
    assert torch.allclose(trace.embeddings, embed(trace.pixels), atol=1e-12)
    assert trace.passes == (1, 2, 3, 4, 5)
    assert told == [(i, 5) for i in range(1, 6)]


def test_a_list_does_as_well():
    assert len(go(lambda request: [request.start, request.end]).pixels) == 2


def descending(request):
    """Two forwards of three images and a backward pass before each point."""
    x = request.start
    yield x
    for _ in range(request.steps - 1):
        leaf = x.expand(3, -1, -1, -1).clone().requires_grad_()
        (gradient,) = torch.autograd.grad(request.embed(leaf).square().sum(), leaf)
        request.embed(leaf.detach())
        x = (x - 0.01 * gradient[0]).clamp(0, 1)
        yield x


def test_its_own_passes_are_counted():
    trace = go(descending, arrives=False)
    assert trace.passes == (1, 11, 21, 31, 41)  # 3 + 3 + 3 of its own and one for the point
    assert (trace.spent.forwards, trace.spent.vjps) == (29, 12)
    assert trace.graph_bytes > 0


@pytest.mark.parametrize("most", range(1, 24))
def test_they_are_never_exceeded(most):
    trace = go(descending, max_passes=most, arrives=False)
    assert trace.status is Status.BUDGET_EXHAUSTED
    assert trace.spent.passes <= most
    assert len(trace.pixels) == 1 + (most >= 11) + (most >= 21)
    assert "allow more" in trace.message


def test_the_error_is_its_own_until_it_lets_it_through():
    caught = []

    def careful(request):
        yield request.start
        try:
            request.embed(torch.stack([request.start] * 50))
        except OutOfPassesError as error:
            caught.append(error.message)
        yield request.end

    assert go(careful, max_passes=10).status is Status.CONVERGED
    assert caught == ["The 10 passes allowed ran out."]


def odd(*points):
    return lambda request: iter(points)


@pytest.mark.parametrize(
    ("points", "fault"),
    [
        (odd(), "gave 0 of at least 2 points"),
        (odd(START), "gave 1 of at least 2 points"),
        (odd(START, START[0]), r"gave \(8, 8\) in place of a point \(3, 8, 8\)"),
        (odd(START, "END"), "gave str in place of a point"),
        (odd(END, END), "did not begin with START"),
        (odd(START, 2 * END), "gave a point with pixels from 0.0.* to 1.99: keep to"),
        (odd(START, END * torch.nan), "gave a point with pixels from nan"),
        (odd(START, (START + END) / 2), r"ended at L2 \d.* from END"),
        (odd(*[START] * 6), "went on after the 5 points"),
        (lambda request: None, "gave NoneType in place of points"),
    ],
)
def test_what_it_must_not_do(points, fault):
    with pytest.raises(PluginError, match=f"^The path 'mine' {fault}"):
        go(points)


def test_rounding_is_forgiven_and_taken_out():
    trace = go(odd(START, (END + 2e-6).clamp(min=1e-6), END))
    assert trace.pixels.max() <= 1


def test_an_embedding_that_is_not_finite_ends_it():
    def map_(pixels):
        return embed(pixels) / (pixels.flatten(1).sum(1, keepdim=True) != END.sum())

    path = NamedPath("mine", "", odd(START, END))
    trace = registered_path(map_, path, START, END, steps=2, max_passes=9, generator=torch.Generator())
    assert trace.status is Status.NON_FINITE


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


@pytest.fixture(scope="module")
def photos():
    return torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))


def test_straight_it_measures_what_the_straight_path_measures(encoder, photos):
    mine = vitequiv.interpolate(encoder, *photos, path=NamedPath("mine", "", straight), steps=9)
    linear = vitequiv.interpolate(encoder, *photos, path="linear", steps=9)
    assert mine.path == "mine"
    assert torch.allclose(mine.pixels, linear.pixels, atol=1e-6)
    for name in ("embedding_length", "chord", "detour", "top_speed"):
        assert getattr(mine.summary, name) == pytest.approx(getattr(linear.summary, name), rel=1e-3)
    assert mine.summary.length == pytest.approx((photos[1] - photos[0]).norm().item(), rel=1e-4)
    assert (mine.summary.covered, mine.summary.nearer) == (pytest.approx(1), pytest.approx(1))
    assert mine.summary.lowest_cosine_start == min(point.cosine_start for point in mine.points)
    assert [point.t for point in mine.points] == pytest.approx([i / 8 for i in range(9)], abs=1e-5)
    assert mine.points[-1].cosine_end == pytest.approx(1)
    assert mine.cost.passes == 9
    short = vitequiv.interpolate(encoder, *photos, path=NamedPath("mine", "", straight), steps=9, max_passes=4)
    assert (short.status, len(short.points)) == (Status.BUDGET_EXHAUSTED, 4)
    assert short.cost.passes == 5  # END's embedding, to compare with


def test_misuse(encoder, photos):
    with pytest.raises(ValueError, match="that of a built-in path"):
        vitequiv.interpolate(encoder, *photos, path=NamedPath("linear", "", straight))
    with pytest.raises(ValueError, match="needs an END"):
        vitequiv.interpolate(encoder, photos[0], path=NamedPath("mine", "", straight))
    with pytest.raises(ValueError, match="points of the NamedPath 'mine' must be callable"):
        NamedPath("mine", "", None)
