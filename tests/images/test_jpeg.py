"""JPEG: the values are those of Pillow's file, the gradient that of a close model of it."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from tests.images.samples import as_pixels, photo
from vitequiv.errors import UsageError
from vitequiv.images import jpeg, jpeg_extra
from vitequiv.images.canvas import canvas_shape, to_canvas
from vitequiv.images.jpeg import decode_jpeg, encode_jpeg, through_jpeg
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding, preprocess_uint8

MEAN_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)


def resize_then_crop(resize: int, crop: int) -> Preprocessing:
    return Preprocessing(
        Resize((resize, resize), ResizeMode.SQUASH, Filter.BICUBIC), Crop((crop, crop), Rounding.HF), *MEAN_STD
    )


# No crop; DeiT's, on the grid of blocks of 16; timm's at crop_pct 0.9, 12 pixels off that grid; edges of no block.
PREPROCESSINGS = {
    "whole": resize_then_crop(224, 224),
    "on-grid": resize_then_crop(256, 224),
    "off-grid": resize_then_crop(248, 224),
    "odd": resize_then_crop(77, 71),
}


def levels_for(pre: Preprocessing, name: str = "coffee.png") -> np.ndarray:
    return np.array(photo(name).resize(pre.input_size[::-1]))


@pytest.mark.parametrize("quality", [1, 50, 90, 100])
@pytest.mark.parametrize("kind", PREPROCESSINGS)
def test_the_values_are_what_the_processor_reads_from_the_file(kind, quality, tmp_path):
    pre = PREPROCESSINGS[kind]
    levels = levels_for(pre)
    Image.fromarray(to_canvas(levels, pre)).save(tmp_path / "x.jpg", quality=quality)  # Pillow's own defaults
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.size == canvas_shape(pre)[::-1]
        expected = preprocess_uint8(pre, image)
    pixels = as_pixels(Image.fromarray(levels)).requires_grad_()
    for seen in (through_jpeg(pre, quality)(pixels), through_jpeg(pre, quality)(pixels.detach())):
        assert np.array_equal((seen.detach()[0] * 255).round().permute(1, 2, 0).numpy(), expected)
    assert not np.array_equal(expected, levels)


# Measured at 224 px, mean over both photos: kornia's model against Pillow 13. Largest of all: 20 levels at quality 50.
# The model takes a triangle where libjpeg takes a box for chroma, rounds no intermediate value, and its rounding of
# coefficients is smoothed by up to 1/8 of a step.
@pytest.mark.parametrize(("quality", "mean", "largest"), [(50, 1.6, 22), (75, 1.45, 22), (90, 1.3, 16), (100, 0.75, 7)])
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_the_model_behind_the_gradient_is_close_to_pillow(name, quality, mean, largest):
    levels = levels_for(PREPROCESSINGS["whole"], name)
    model = jpeg.modelled_jpeg(as_pixels(Image.fromarray(levels)), quality)
    difference = np.abs((model[0] * 255).permute(1, 2, 0).numpy() - decode_jpeg(encode_jpeg(levels, quality)))
    assert difference.mean() < mean
    assert difference.max() < largest


@pytest.mark.parametrize("quality", [3, 20, 75, 90, 100])
def test_the_tables_are_those_of_the_file(quality):
    with Image.open(io.BytesIO(encode_jpeg(levels_for(PREPROCESSINGS["odd"]), quality))) as image:
        assert [list(table) for table in jpeg.quantisation_tables(quality)] == [
            list(image.quantization[i]) for i in range(2)
        ]
        assert [layer[1:3] for layer in image.layer] == [(2, 2), (1, 1), (1, 1)], "chroma at half the resolution"


def test_kornia_uses_those_tables():
    """A single luma coefficient of amplitude k times its table entry comes back unchanged, as no other table gives."""
    luma = np.array(jpeg.quantisation_tables(30)[0]).reshape(8, 8)
    i = np.arange(8)
    for row, column in ((0, 1), (2, 3), (5, 0), (7, 7)):
        waves = np.outer(*(np.cos((2 * i + 1) * k * np.pi / 16) for k in (row, column)))
        scale = np.prod([0.5**0.5 if k == 0 else 1.0 for k in (row, column)]) / 4
        block = 128 + luma[row, column] * scale * waves
        gray = torch.from_numpy(np.tile(block, (2, 2))).float().div(255).expand(1, 3, 16, 16)
        model = jpeg.modelled_jpeg(gray, 30)
        # Rounding is exact on whole coefficients. kornia's chroma is centred on 127.5 where its DCT takes off 128, so
        # that a grey comes back a little coloured all over; taken off, only float32 is left, 1e-4 levels.
        model = model - (model - gray).mean((2, 3), keepdim=True)
        torch.testing.assert_close(model, gray, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["whole", "off-grid"])
def test_the_gradient_is_the_models(kind):
    pre = PREPROCESSINGS[kind]
    pixels = as_pixels(Image.fromarray(levels_for(pre))).requires_grad_()
    cotangent = torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(through_jpeg(pre, 90)(pixels), pixels, cotangent)
    height, width = canvas_shape(pre)
    margin = (height - pre.input_size[0]) // 2
    canvas = torch.nn.functional.pad(pixels, (margin,) * 4, mode="replicate")
    model = jpeg.modelled_jpeg(canvas, 90)[..., margin : height - margin, margin : width - margin]
    (expected,) = torch.autograd.grad(model, pixels, cotangent)
    assert torch.equal(gradient, expected)
    assert gradient.isfinite().all()
    assert gradient.norm() > 0.1 * cotangent.norm()


def test_images_of_a_batch_are_seen_alone_and_one_that_is_not_finite_gives_nan():
    pre = PREPROCESSINGS["odd"]
    batch = torch.cat([as_pixels(Image.fromarray(levels_for(pre, n))) for n in ("chelsea.png", "rocket.jpg")])
    see = through_jpeg(pre, 80)
    assert torch.equal(see(batch)[1:], see(batch[1:]))
    broken = batch.clone()
    broken[0, 0, 0, 0] = torch.nan
    assert see(broken)[0].isnan().all()
    assert torch.equal(see(broken)[1], see(batch)[1])


@pytest.mark.parametrize("quality", [0, 101, -5, 90.5])
def test_qualities_that_do_not_exist(quality):
    with pytest.raises(ValueError, match="from 1 to 100"):
        through_jpeg(PREPROCESSINGS["whole"], quality)


def test_without_kornia_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(jpeg_extra, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'vitequiv\[jpeg\]'"):
        through_jpeg(PREPROCESSINGS["whole"], 90)
