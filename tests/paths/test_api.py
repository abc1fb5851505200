"""`vitequiv.interpolate` on the embedded encoder: the paper's two required figures, and what is refused."""

from __future__ import annotations

import pytest
import torch

import vitequiv
from tests.loaded import loaded
from vitequiv.results.names import PathKind
from vitequiv.results.status import Status
from vitequiv.tiny.scenes import Split, sample, scene_rng


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


@pytest.fixture(scope="module")
def scenes():
    """Held-out scenes; those used below differ in shape and colour."""
    drawn = sample(4, scene_rng(Split.HELD_OUT, 5))
    assert drawn.shapes[2] != drawn.shapes[3]
    assert drawn.colours[2] != drawn.colours[3]
    return torch.from_numpy(drawn.images.copy()).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize("match", ["start", "end"])
def test_a_matched_path_crosses_to_another_class_with_one_embedding(encoder, scenes, match):
    start, end = scenes[2], scenes[3]
    result = vitequiv.interpolate(encoder, start, end, path="matched", match=match)
    assert result.status is Status.CONVERGED
    assert len(result.points) == 21
    kept = encoder.embed((start if match == "start" else end)[None])
    cosines = torch.nn.functional.cosine_similarity(encoder.embed(result.pixels).double(), kept.double())
    # Embedded as one batch here and one by one there: sums in another order move a cosine by about 1e-7.
    assert cosines.min() >= 0.99 - 1e-6
    assert result.summary.reached == 21
    assert result.summary.covered >= 0.9
    assert result.summary.l2 >= 0.9 * (end - start).norm()
    assert result.points[-1].passes <= 3000


def test_a_walk_goes_ten_times_as_far_as_random_directions_within_one_per_cent(encoder, scenes):
    start, end = scenes[0], scenes[1]
    result = vitequiv.interpolate(encoder, start, end, path="null", steps=16)
    assert result.status is Status.CONVERGED
    drift = (encoder.embed(result.pixels) - encoder.embed(start[None])).norm(dim=1) / encoder.embed(start[None]).norm()
    assert drift.max() < 0.01
    summary = result.summary
    assert max(summary.largest_drift, summary.largest_between) < 0.01
    assert summary.times_random >= 10
    assert summary.times_straight >= 10
    assert summary.l2 == pytest.approx((result.pixels[-1] - start).norm().item(), rel=1e-5)
    # The yardstick is what it says: its lines drift by the tolerance, to the accuracy of its bisection and float32.
    unit = (end - start) / (end - start).norm()
    kept, there = encoder.embed(torch.stack([start, start + summary.yardstick.straight * unit]))
    assert (there - kept).norm() / kept.norm() == pytest.approx(0.01, rel=0.02)
    assert summary.yardstick.random_median > summary.yardstick.straight


@pytest.mark.parametrize("end", [True, False])
def test_seeds_decide_everything(encoder, scenes, end):
    def walk(seed):
        last = scenes[1] if end else None
        return vitequiv.interpolate(encoder, scenes[0], last, path="null", max_passes=40, seed=seed)

    one, again, other = walk(1), walk(1), walk(2)
    assert len(one.points) > 1
    assert (one.points, one.summary) == (again.points, again.summary)
    assert torch.equal(one.pixels, again.pixels)
    assert one.summary.yardstick.random != other.summary.yardstick.random
    assert torch.equal(one.pixels, other.pixels) == end, "only a random walk has a random direction"


def test_the_cost_is_all_that_was_made(encoder, scenes, monkeypatch):
    forwards, products = 0, 0
    grad, embed = torch.autograd.grad, type(encoder).embed

    def counted_grad(*arguments, **options):
        nonlocal products
        products += 1
        return grad(*arguments, **options)

    def counted_embed(self, pixels):
        nonlocal forwards
        forwards += len(pixels)
        return embed(self, pixels)

    monkeypatch.setattr(torch.autograd, "grad", counted_grad)
    monkeypatch.setattr(type(encoder), "embed", counted_embed)
    for path in PathKind:
        forwards = products = 0
        result = vitequiv.interpolate(encoder, scenes[0], scenes[1], path=path, steps=3)
        assert (result.cost.forwards, result.cost.vjps + result.cost.jvps) == (forwards, products), path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "sideways"}, "known are linear, matched, null"),
        ({"steps": 1}, "at least 2 points"),
        ({"path": "null", "tolerance": 1e-9}, "lost in the rounding"),
        ({"path": "null", "tolerance": 0.0}, "in \\(0, 1\\)"),
        ({"path": "null", "tolerance": float("nan")}, "in \\(0, 1\\)"),
        ({"end": None}, "needs an END"),
        ({"end": "start"}, "same image"),
        ({"path": "matched", "match": "middle"}, "start, end or an image"),
        ({"path": "matched", "match": torch.zeros(3, 8, 8)}, "match must be"),
        ({"path": "matched", "cosine": 1.5}, "cosine"),
        ({"end": torch.zeros(2, 3, 64, 64)}, "one image"),
    ],
)
def test_misuse(encoder, scenes, options, message):
    end = options.pop("end", scenes[1])
    with pytest.raises(ValueError, match=message):
        vitequiv.interpolate(encoder, scenes[0], scenes[0] if isinstance(end, str) else end, **options)


def test_a_third_image_can_be_kept(encoder, scenes):
    result = vitequiv.interpolate(encoder, scenes[0], scenes[1], path="matched", match=scenes[2], steps=3, cosine=0.9)
    assert result.status is Status.CONVERGED
    assert min(point.cosine for point in result.points) >= 0.9
    assert torch.equal(result.reference, encoder.embed(scenes[2][None])[0])
    assert result.summary.reference == "image"
