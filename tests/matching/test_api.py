"""`vitequiv.match`: shapes, ranges, broadcasting and the measures of a change."""

from __future__ import annotations

import math

import pytest
import torch

import vitequiv
from tests.loaded import loaded
from vitequiv.matching.perturbation import measure_perturbation
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.tiny.scenes import Split, sample, scene_rng


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


def images(count: int, seed: int) -> torch.Tensor:
    """Scenes of the held-out split, whose embeddings lie well apart."""
    scenes = sample(count, scene_rng(Split.HELD_OUT, seed))
    return torch.from_numpy(scenes.images.copy()).permute(0, 3, 1, 2).float() / 255


@pytest.mark.parametrize(("sources", "targets", "pairs"), [(3, 1, 3), (1, 3, 3), (2, 2, 2), (1, 1, 1)])
def test_one_image_serves_all_on_the_other_side(encoder, sources, targets, pairs):
    results = vitequiv.match(encoder, images(sources, 1), images(targets, 2), cosine=0.8)
    assert len(results) == pairs
    with torch.no_grad():
        wanted = encoder.embed(images(targets, 2).expand(pairs, -1, -1, -1))
    for result, target in zip(results, wanted, strict=True):
        torch.testing.assert_close(result.target, target, rtol=1e-4, atol=1e-4)
        assert result.status is vitequiv.Status.CONVERGED
        assert result.cosine.final >= 0.8 > result.cosine.initial
        assert result.cosine.saved is None


def test_a_single_image_needs_no_batch_dimension(encoder):
    (result,) = vitequiv.match(encoder, images(1, 1)[0], images(1, 2)[0], cosine=0.8)
    assert result.pixels.shape == (3, 64, 64)


def test_the_residual_goal(encoder):
    (result,) = vitequiv.match(encoder, images(1, 1), images(1, 2), cosine=None, residual=0.3)
    assert result.relative_residual.final <= 0.3 < result.relative_residual.initial


def test_the_layout_of_the_pixels_makes_no_difference(encoder):
    pixels = [images(1, 1), images(1, 1).contiguous(memory_format=torch.channels_last), images(1, 1).contiguous()]
    found = [vitequiv.match(encoder, x, images(1, 2), cosine=0.9)[0] for x in pixels]
    assert torch.equal(found[0].pixels, found[1].pixels)
    assert torch.equal(found[0].pixels, found[2].pixels)


def test_a_zero_target_is_no_division(encoder):
    class Zero:
        def __getattr__(self, name):
            return getattr(encoder, name)

        @staticmethod
        def embed(batch):
            embedding = encoder.embed(batch)
            return embedding - embedding.detach()

    (result,) = vitequiv.match(Zero(), images(1, 1), images(1, 2), max_passes=5)
    assert result.status is not vitequiv.Status.CONVERGED


def test_the_initial_measures_are_those_of_the_start(encoder):
    (result,) = vitequiv.match(encoder, images(1, 1), images(1, 2), cosine=0.8)
    with torch.no_grad():
        start, target = encoder.embed(images(1, 1))[0].double(), encoder.embed(images(1, 2))[0].double()
    assert result.relative_residual.initial == pytest.approx(((start - target).norm() / target.norm()).item(), rel=1e-5)
    assert result.cosine.initial == pytest.approx((start @ target / start.norm() / target.norm()).item(), abs=1e-6)


def test_a_match_already_made_says_so(encoder):
    (result,) = vitequiv.match(encoder, images(1, 1), images(1, 1))
    assert result.status is vitequiv.Status.CONVERGED
    assert "already" in result.message
    assert result.perturbation.l2 == 0
    assert result.perturbation.psnr_db == math.inf
    assert result.perturbation.ssim == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:, :, :32], r"must be floating point of shape \(B, 3, 64, 64\), got"),
        (lambda x: x[:, :1], "must be floating point of shape"),
        (lambda x: (x * 255).byte(), "uint8"),
        (lambda x: x * 255, r"must lie in \[0, 1\]"),
        (lambda x: x - 0.5, r"must lie in \[0, 1\]"),
        (lambda x: x * torch.nan, "hold no NaN"),
    ],
)
@pytest.mark.parametrize("side", ["sources", "targets"])
def test_pixels_of_the_wrong_kind_are_refused(encoder, change, message, side):
    arguments = {"sources": images(2, 1), "targets": images(2, 2)}
    arguments[side] = change(arguments[side])
    with pytest.raises(ValueError, match=rf"^{side} .*{message}|^{side}.*{message}"):
        vitequiv.match(encoder, **arguments)


def test_numbers_of_images_that_do_not_go_together(encoder):
    with pytest.raises(ValueError, match="2 sources and 3 targets"):
        vitequiv.match(encoder, images(2, 1), images(3, 2))


def test_a_step_size_beside_a_solver_object_is_refused(encoder):
    with pytest.raises(ValueError, match="set it on the solver object"):
        vitequiv.match(encoder, images(1, 1), images(1, 2), solver=Polyak(), step_size=0.5)


def test_measures_of_a_change():
    start = torch.full((3, 8, 8), 0.5)
    pixels = start.clone()
    pixels[0, 0, 0] += 10 / 255
    pixels[1, 2, 3] -= 4 / 255
    measured = measure_perturbation(start, pixels)
    assert measured.l2 == pytest.approx(math.hypot(10, 4) / 255, rel=1e-6)
    assert measured.linf == pytest.approx(10 / 255, rel=1e-6)
    assert measured.mean_abs == pytest.approx(14 / 255 / 192, rel=1e-6)
    assert measured.linf_8bit == 10
    assert measured.mean_abs_8bit == pytest.approx(14 / 192)
    assert measured.psnr_db == pytest.approx(10 * math.log10(255**2 / (116 / 192)))
