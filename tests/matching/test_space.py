"""Matching a picture before the resize: what the encoder sees, steps that mean the same, further maps to satisfy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import vitequiv
from tests.loaded import loaded
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.images.lattice import from_uint8, quantise, to_uint8
from vitequiv.matching.names import SpaceName
from vitequiv.matching.objective import cosine_similarity
from vitequiv.matching.solvers import SOLVERS, GradientDescent
from vitequiv.matching.space import image_space, model_space
from vitequiv.tiny.scenes import Split, sample, scene_rng


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


def scene(seed: int, size: tuple[int, int] | None = None) -> Image.Image:
    image = Image.fromarray(sample(1, scene_rng(Split.HELD_OUT, seed)).images[0])
    return image.resize(size, Image.Resampling.BICUBIC) if size else image


def pixels(image: Image.Image) -> torch.Tensor:
    return from_uint8(np.asarray(image))


def darker(encoder, factor: float, exact: bool = False) -> OfficialProcessor:
    """A processor that sees every image a little darker."""

    def process(image: Image.Image) -> torch.Tensor:
        return encoder.normalise(factor * encoder.preprocess(image)[None])[0]

    return OfficialProcessor("Darker", "nobody", "pil", process, exact)


def with_processor(encoder, processor: OfficialProcessor):
    return replace(encoder, tower=replace(encoder.tower, processors=lambda: (processor,)))


@pytest.mark.parametrize("size", [(120, 90), (90, 121), (40, 30), (64, 64)])
def test_the_result_is_what_a_user_of_the_picture_gets(encoder, size):
    start, target = scene(1, size), scene(2)
    (result,) = vitequiv.match(
        encoder, pixels(start), encoder.preprocess(target), cosine=0.9, space="image", max_passes=600
    )
    assert result.status is vitequiv.Status.CONVERGED
    assert result.space is SpaceName.IMAGE
    assert result.pixels.shape == (3, size[1], size[0])
    saved = Image.fromarray(to_uint8(result.pixels))
    with torch.no_grad():
        embedding = encoder.embed(encoder.preprocess(saved)[None])
    # The loop saw the same 8-bit levels; only float32 sums differ, by 1.2e-5 with AVX2 kernels. One level more or less
    # in each value of the input, in its worst direction, would be 1e-3.
    assert cosine_similarity(embedding, result.target[None]).item() == pytest.approx(result.cosine.final, abs=5e-5)
    assert result.cosine.final >= 0.9 > result.cosine.initial


def test_a_batch_of_pictures_of_one_size(encoder):
    sources = torch.stack([pixels(scene(seed, (100, 70))) for seed in (1, 3)])
    results = vitequiv.match(encoder, sources, encoder.preprocess(scene(2)), cosine=0.8, space="image")
    assert [result.status for result in results] == [vitequiv.Status.CONVERGED] * 2


def test_it_holds_under_the_other_processors_too(encoder):
    """Each of those is another map, whose forwards are counted, and the loop goes on until it is satisfied."""
    start, target = pixels(scene(1, (120, 90))), encoder.preprocess(scene(2))
    goal = {"cosine": 0.95, "space": "image"}
    (alone,) = vitequiv.match(encoder, start, target, **goal)
    strict = with_processor(encoder, processor := darker(encoder, 0.95))

    def seen(result):
        image = Image.fromarray(to_uint8(result.pixels))
        with torch.no_grad():
            return cosine_similarity(
                encoder.embed_normalised(processor.process(image)[None]), result.target[None]
            ).item()

    (both,) = vitequiv.match(strict, start, target, **goal)
    assert seen(alone) < 0.95  # else this shows nothing
    assert seen(both) >= 0.95
    assert both.cosine.final >= 0.95
    assert both.cost.forwards > both.cost.vjps + 2
    assert both.cost.passes > alone.cost.passes

    (short,) = vitequiv.match(strict, start, target, **goal, max_passes=alone.cost.passes)
    assert short.status is vitequiv.Status.BUDGET_EXHAUSTED
    assert short.cost.passes <= alone.cost.passes
    (small,) = vitequiv.match(strict, start, target, **goal, minimise="l2", max_passes=both.cost.passes + 60)
    assert seen(small) >= 0.95
    assert small.perturbation.l2 <= both.perturbation.l2
    assert small.cost.passes <= both.cost.passes + 60


def test_one_that_gives_the_same_levels_costs_nothing(encoder):
    assert len(image_space(with_processor(encoder, darker(encoder, 1, exact=True)), 90, 120).saved) == 1
    assert len(image_space(with_processor(encoder, darker(encoder, 0.9)), 90, 120).saved) == 2
    assert len(model_space(with_processor(encoder, darker(encoder, 0.9))).saved) == 1


@pytest.mark.parametrize(("name", "solver"), SOLVERS.items())
def test_only_a_constant_step_has_to_be_adapted(encoder, name, solver):
    space = image_space(encoder, 128, 256)  # to 64 x 128 before the crop
    assert space.scale == 4
    adapted = space.adapt(solver)
    if isinstance(solver, GradientDescent):
        assert adapted == GradientDescent(step_size=4 * solver.step_size)
    else:
        assert adapted is solver
    assert model_space(encoder).adapt(solver) is solver


def test_a_step_of_gradient_descent_moves_what_the_encoder_sees_alike(encoder):
    """An enlarged picture, whose every pixel is four: the same steps but for the roundings and the filter."""
    start, target = scene(1), encoder.preprocess(scene(2))
    large = start.resize((128, 128), Image.Resampling.NEAREST)
    options = {"solver": "gd", "cosine": 0.8, "max_passes": 400}
    (small,) = vitequiv.match(encoder, pixels(start), target, **options)
    (big,) = vitequiv.match(encoder, pixels(large), target, space="image", **options)
    # The bicubic filter on the way down passes about 0.7 of the energy of white noise more or less.
    assert 0.5 < big.cost.passes / small.cost.passes < 2


def test_pixels_outside_the_crop_have_no_gradient(encoder):
    picture = pixels(scene(1, (200, 64)))[None].requires_grad_()
    image_space(encoder, 64, 200).embed(picture).square().sum().backward()
    moved = picture.grad.abs().sum((0, 1, 2)) > 0
    assert moved[68:132].all()  # no resize, so the crop alone decides
    assert not moved[:68].any()
    assert not moved[132:].any()


def test_through_a_jpeg_of_the_whole_picture(encoder):
    from vitequiv.images.jpeg import decode_jpeg, encode_jpeg

    image = scene(1, (121, 75))
    levels = decode_jpeg(encode_jpeg(np.asarray(image), 80))
    space = image_space(encoder, 75, 121, jpeg=80)
    picture = pixels(image)[None].requires_grad_()
    embedding = space.embed(picture)
    with torch.no_grad():
        expected = encoder.embed(encoder.preprocess(Image.fromarray(levels))[None])
    torch.testing.assert_close(embedding.detach(), expected)
    embedding.sum().backward()
    assert picture.grad.isfinite().all()
    assert picture.grad.any()
    assert torch.equal(space.see(picture.detach()), encoder.preprocess(image)[None])  # the picture, before the JPEG


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x[:1], "must be floating point of shape"),
        (lambda x: (x * 255).byte(), "uint8"),
        (lambda x: x * 2, r"must lie in \[0, 1\]"),
        (lambda x: x * torch.nan, "hold no NaN"),
    ],
)
def test_pictures_of_the_wrong_kind_are_refused(encoder, change, message):
    start = pixels(scene(1, (120, 90)))
    with pytest.raises(ValueError, match=message):
        vitequiv.match(encoder, change(start), encoder.preprocess(scene(2)), space="image")


def test_a_space_that_does_not_exist(encoder):
    with pytest.raises(ValueError, match="choose from model, image"):
        vitequiv.match(encoder, pixels(scene(1)), pixels(scene(2)), space="pixel")


def test_the_lattice_is_where_it_was():
    assert torch.equal(quantise(pixels(scene(1)).double()).float(), pixels(scene(1)))
