"""Preprocessing as data: names, validation, the arithmetic of shapes, and gradients through all of it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from tests.images.processors import FAMILIES, ODD, PADDING, Official
from tests.images.samples import as_pixels, noise
from vitequiv.errors import ImageError
from vitequiv.images.differentiable import differentiable
from vitequiv.images.preprocessing import (
    Crop,
    Filter,
    Preprocessing,
    Resize,
    ResizeMode,
    Rounding,
    crop_box,
    preprocess_uint8,
    resized_shape,
)
from vitequiv.images.weights import weights

HALF = (0.5, 0.5, 0.5)
CLIP = next(official.pre for official in FAMILIES if official.name == "clip")
LONGEST = next(official.pre for official in FAMILIES if official.name.startswith("open_clip longest"))


@pytest.mark.parametrize("kernel", list(Filter))
def test_filters_have_pillows_numbers_and_names(kernel: Filter) -> None:
    assert Filter.from_pillow(int(kernel.pillow)) is kernel
    assert Filter.from_name(kernel.name) is Filter.from_name(kernel.value) is kernel
    assert kernel.pillow is getattr(Image.Resampling, kernel.name)


def test_unknown_filters_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"number 17; expected one of 0 \(nearest\)"):
        Filter.from_pillow(17)
    with pytest.raises(ValueError, match="'random'; expected one of nearest, box"):
        Filter.from_name("random")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Resize((224,), ResizeMode.SQUASH, Filter.BOX), r"Resize\.size must be .* got \(224,\)"),
        (lambda: Resize([224, 224], ResizeMode.SQUASH, Filter.BOX), r"Resize\.size must be"),
        (lambda: Crop((224, 0), Rounding.HF), r"Crop\.size must be"),
        (lambda: Crop((2, 2), Rounding.HF, 256), r"Crop\.fill must be"),
        (lambda: Crop((2, 2), Rounding.HF, (1, 2)), r"Crop\.fill must be"),
        (lambda: Preprocessing(None, None, HALF, HALF), "no resize without a crop leaves the input size open"),
        (
            lambda: Preprocessing(Resize((2, 2), ResizeMode.SHORTEST, Filter.BOX), None, HALF, HALF),
            "'shortest' without a crop leaves the input size open",
        ),
        (lambda: Preprocessing(None, Crop((2, 2), Rounding.HF), HALF, (0.5, 0.0, 0.5)), "std must be positive"),
        (lambda: Preprocessing(None, Crop((2, 2), Rounding.HF), (0.5, 0.5), HALF), "mean must be a tuple of three"),
        (lambda: Preprocessing(None, Crop((2, 2), Rounding.HF), (0.5, 0.5, float("nan")), HALF), "mean must be"),
    ],
)
def test_nonsense_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]


def test_to_dict_is_plain_json() -> None:
    assert json.loads(json.dumps(CLIP.to_dict())) == {
        "resize": {"size": [224, 224], "mode": "shortest", "filter": "bicubic"},
        "crop": {"size": [224, 224], "rounding": "hf", "fill": 0},
        "mean": [0.0, 0.0, 0.0],
        "std": [1.0, 1.0, 1.0],
    }
    assert Preprocessing(None, Crop((2, 3), Rounding.HF), HALF, HALF).to_dict()["resize"] is None


# Offsets by hand: an odd margin of 115 is 57.5, which transformers floors and torchvision rounds to even, 58;
# 3 pixels missing are 1.5, of which transformers puts 2 before the image and torchvision 1.
@pytest.mark.parametrize(
    ("rounding", "edge", "crop", "offset"),
    [
        (Rounding.HF, 339, 224, 57),
        (Rounding.TORCHVISION, 339, 224, 58),
        (Rounding.HF, 337, 224, 56),
        (Rounding.TORCHVISION, 337, 224, 56),
        (Rounding.HF, 221, 224, -2),
        (Rounding.TORCHVISION, 221, 224, -1),
        (Rounding.HF, 224, 224, 0),
        (Rounding.TORCHVISION, 224, 224, 0),
    ],
)
def test_offsets_by_hand(rounding: Rounding, edge: int, crop: int, offset: int) -> None:
    assert rounding.offset(edge, crop) == offset


def test_shapes_and_boxes_by_hand() -> None:
    assert resized_shape(CLIP, 300, 455) == (224, 339)
    assert crop_box(CLIP, 300, 455) == (0, 57, 224, 281)
    assert crop_box(CLIP, 455, 300) == (57, 0, 281, 224)
    assert resized_shape(LONGEST, 300, 455) == (148, 224)
    assert crop_box(LONGEST, 300, 455) == (-38, 0, 186, 224)


def test_images_without_pixels_are_misuse() -> None:
    with pytest.raises(ValueError, match="at least 1 x 1 pixels, got 0 x 5"):
        resized_shape(CLIP, 0, 5)


@pytest.mark.parametrize(("pre", "size"), [(LONGEST, (1, 700)), (CLIP, (1, 2000)), (CLIP, (2000, 1))])
def test_too_narrow_images_are_refused_before_any_work(pre: Preprocessing, size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match=r"too narrow for this model.*crop it nearer to a square$"):
        preprocess_uint8(pre, Image.new("RGB", size))
    with pytest.raises(ImageError, match="too narrow"):
        differentiable(pre, *size[::-1])


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "CMYK", "1"])
def test_other_modes_are_converted_first(mode: str) -> None:
    image = noise(50, 70).convert(mode)
    np.testing.assert_array_equal(preprocess_uint8(CLIP, image), preprocess_uint8(CLIP, image.convert("RGB")))


def _axis(pre: Preprocessing, axis: int, edge: int, resized: int, box: tuple[int, int, int, int]) -> torch.Tensor:
    """Resize and crop along one axis as one matrix; rows of padding are zero."""
    assert pre.resize is not None
    whole = weights(edge, resized, pre.resize.filter) if edge != resized else np.eye(edge)
    start, stop = box[axis], box[axis + 2]
    padded = np.zeros((stop - start, edge))
    inside = whole[max(start, 0) : min(stop, resized)]
    padded[max(-start, 0) : max(-start, 0) + len(inside)] = inside
    return torch.from_numpy(padded)


@pytest.mark.parametrize("official", [*FAMILIES[:8], *ODD, *PADDING], ids=lambda official: official.name)
@pytest.mark.parametrize("shape", [(70, 50), (90, 301)])
def test_gradient_is_that_of_the_linear_map(official: Official, shape: tuple[int, int]) -> None:
    pre = official.pre
    pixels = as_pixels(noise(*shape), torch.float64).requires_grad_()
    out = differentiable(pre, *shape)(pixels)
    cotangent = torch.randn(out.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(out, pixels, cotangent)
    resized, box = resized_shape(pre, *shape), crop_box(pre, *shape)
    rows, columns = (_axis(pre, axis, shape[axis], resized[axis], box) for axis in (0, 1))
    # Exact but for the order of float64 sums.
    torch.testing.assert_close(gradient, rows.T @ cotangent @ columns, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_crop_without_resize(dtype: torch.dtype) -> None:
    pre = Preprocessing(None, Crop((30, 40), Rounding.TORCHVISION, (9, 8, 7)), HALF, HALF)
    image = noise(35, 33)
    levels = preprocess_uint8(pre, image)
    np.testing.assert_array_equal(levels[:, 3:36], np.asarray(image)[2:32])  # 2.5 rounds to even
    assert (levels[:, :3] == (9, 8, 7)).all()
    assert (levels[:, 36:] == (9, 8, 7)).all()
    pixels = differentiable(pre, 35, 33)(as_pixels(image, dtype))
    assert pixels.dtype == dtype
    np.testing.assert_array_equal(pixels[0].permute(1, 2, 0).numpy(), levels.astype(pixels.numpy().dtype) / 255)


def test_a_photo_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected pixels of shape \(B, 3, 50, 40\), got \(1, 3, 40, 50\)"):
        differentiable(CLIP, 50, 40)(torch.zeros(1, 3, 40, 50))


def test_decoding_and_preprocessing_do_not_import_torch() -> None:
    code = (
        "import sys, vitequiv.images.decode, vitequiv.images.preprocessing, vitequiv.images.canvas, "
        "vitequiv.images.lattice, vitequiv.images.save; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
