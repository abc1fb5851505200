"""The resize against Pillow itself, its gradient against the matrices and torch's, and the order of the passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from tests.images.samples import PHOTOS, as_levels, as_pixels, noise, photo
from vitequiv.errors import VitequivError
from vitequiv.images.preprocessing import Filter
from vitequiv.images.resample import pass_order, resize, round_levels
from vitequiv.images.weights import weights

FILTERS = pytest.mark.parametrize("kernel", list(Filter), ids=lambda kernel: kernel.value)


def _check(image: Image.Image, out: tuple[int, int], kernel: Filter) -> None:
    expected = np.asarray(image.resize(out[::-1], kernel.pillow)).astype(np.float32) / 255
    np.testing.assert_array_equal(as_levels(resize(as_pixels(image), out, kernel)), expected, err_msg=f"{image.size}")


@FILTERS
def test_photos_equal_pillow(kernel: Filter) -> None:
    for name in PHOTOS:
        for out in ((224, 224), (224, 336), (131, 57), (500, 700)):
            _check(photo(name), out, kernel)


@FILTERS
def test_noise_of_random_sizes_equals_pillow(kernel: Filter) -> None:
    generator = np.random.default_rng(0)
    for case in range(150):
        height, width, out_height, out_width = (int(edge) for edge in generator.integers(1, 90, 4))
        if case % 3 == 0:  # around the boundary of Pillow's choice of the first pass
            out_height = min(out_height, height)
            out_width = max(1, width - (height - out_height) // 2 + case % 5 - 2)
        _check(noise(height, width, case), (out_height, out_width), kernel)


@pytest.mark.parametrize(
    ("shape", "out"), [((2500, 300), (224, 224)), ((300, 2500), (224, 224)), ((1, 1), (224, 224)), ((1, 900), (2, 450))]
)
def test_extreme_shapes_equal_pillow(shape: tuple[int, int], out: tuple[int, int]) -> None:
    for kernel in (Filter.NEAREST, Filter.BICUBIC, Filter.LANCZOS):
        _check(noise(*shape), out, kernel)


@FILTERS
def test_a_batch_equals_its_images_one_by_one(kernel: Filter) -> None:
    pixels = torch.cat([as_pixels(noise(40, 30, seed)) for seed in range(3)])
    one_by_one = torch.cat([resize(image[None], (17, 50), kernel) for image in pixels])
    assert torch.equal(resize(pixels, (17, 50), kernel), one_by_one)


@FILTERS
def test_rows_sum_to_one_and_parts_agree(kernel: Filter) -> None:
    whole = weights(50, 23, kernel)
    # Each of at most 14 taps is rounded by at most 2**-23.
    np.testing.assert_allclose(whole.sum(axis=1), 1, atol=14 * 2.0**-23, rtol=0)
    np.testing.assert_array_equal(weights(50, 23, kernel, 5, 11), whole[5:11])


@FILTERS
def test_gradient_is_the_transposed_matrices(kernel: Filter) -> None:
    pixels = as_pixels(noise(40, 30), torch.float64).requires_grad_()
    cotangent = torch.randn(1, 3, 17, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(resize(pixels, (17, 50), kernel), pixels, cotangent)
    rows, columns = (torch.from_numpy(weights(*sizes, kernel)) for sizes in ((40, 17), (30, 50)))
    # Exact but for the order of float64 sums.
    torch.testing.assert_close(gradient, rows.T @ cotangent @ columns, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "mode"), [(Filter.BILINEAR, "bilinear"), (Filter.BICUBIC, "bicubic")])
@pytest.mark.parametrize("out", [(17, 50), (80, 12), (20, 21)])
def test_gradient_is_that_of_torch(kernel: Filter, mode: str, out: tuple[int, int]) -> None:
    pixels = as_pixels(noise(40, 30), torch.float64).requires_grad_()
    cotangent = torch.randn(1, 3, *out, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    (ours,) = torch.autograd.grad(resize(pixels, out, kernel), pixels, cotangent)
    (theirs,) = torch.autograd.grad(F.interpolate(pixels, out, mode=mode, antialias=True), pixels, cotangent)
    # Pillow rounds each weight by at most 2**-23, 1.2e-7; some tens of them meet in one entry.
    assert (ours - theirs).abs().max() < 2e-6 * theirs.abs().max()


# torch's own rules for forward mode are compiled by what torch has deprecated.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")
def test_gradient_passes_forward_mode_and_vmap() -> None:
    def shrink(pixels: torch.Tensor) -> torch.Tensor:
        return resize(pixels, (9, 11), Filter.BICUBIC)

    pixels = torch.rand(4, 1, 3, 20, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    value, tangent = torch.func.jvp(shrink, (pixels[0],), (pixels[1],))
    rows, columns = (torch.from_numpy(weights(*sizes, Filter.BICUBIC)) for sizes in ((20, 9), (16, 11)))
    torch.testing.assert_close(tangent, rows @ pixels[1] @ columns.T, rtol=1e-12, atol=1e-12)
    assert torch.equal(value, shrink(pixels[0]))
    assert torch.equal(torch.func.vmap(shrink)(pixels), torch.stack([shrink(item) for item in pixels]))


def test_rounding_is_to_the_nearest_clipped_and_straight_through() -> None:
    levels = torch.tensor([-3.0, 0.49, 0.5, 254.5, 300.0], requires_grad=True)
    rounded = round_levels(levels)
    assert rounded.tolist() == [0, 0, 1, 255, 255]
    (gradient,) = torch.autograd.grad(rounded.sum(), levels)
    assert gradient.tolist() == [1, 1, 1, 1, 1]


def test_pixels_off_the_lattice_are_rounded_first() -> None:
    pixels = as_pixels(noise(40, 30))
    shifted = pixels + 0.4 / 255 * torch.sign(torch.randn(pixels.shape, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(resize(shifted, (17, 50), Filter.BICUBIC), resize(pixels, (17, 50), Filter.BICUBIC))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.uint8])
def test_refuses_dtypes_that_cannot_tell_levels_apart(dtype: torch.dtype) -> None:
    with pytest.raises(ValueError, match="expected pixels of shape"):
        resize(torch.zeros(1, 3, 4, 4, dtype=dtype), (2, 2), Filter.BICUBIC)


@pytest.fixture
def _fresh_order() -> Iterator[None]:
    pass_order.cache_clear()
    yield
    pass_order.cache_clear()


def _tall_first(height: int, width: int, out_height: int, out_width: int) -> bool:
    return out_height < height and height - out_height > 2 * (width - out_width)


def _pillow_with(order: Callable[[int, int, int, int], bool]) -> Callable[..., Image.Image]:
    """`Image.resize` for one channel by the plain matrices; `order` is true where it goes vertically first."""

    def clip(levels: np.ndarray) -> np.ndarray:
        return np.clip(np.floor(levels + 0.5), 0, 255)

    def fake(image: Image.Image, size: tuple[int, int], resample: int) -> Image.Image:
        kernel = Filter.from_pillow(resample)
        levels = np.asarray(image).astype(np.float64)
        rows, columns = weights(image.height, size[1], kernel), weights(image.width, size[0], kernel)
        if order(image.height, image.width, size[1], size[0]):
            return Image.fromarray(clip(clip(rows @ levels) @ columns.T).astype(np.uint8))
        return Image.fromarray(clip(rows @ clip(levels @ columns.T)).astype(np.uint8))

    return fake


# The order makes no difference to NEAREST, so it cannot be told, nor need it be.
CONVOLUTIONS = pytest.mark.parametrize("kernel", list(Filter)[1:], ids=lambda kernel: kernel.value)


@CONVOLUTIONS
@pytest.mark.usefixtures("_fresh_order")
@pytest.mark.parametrize("known", [_tall_first, lambda *_: False], ids=["Pillow 13", "Pillow 12"])
def test_finds_the_order_of_this_pillow(
    known: Callable[[int, int, int, int], bool], kernel: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image.Image, "resize", _pillow_with(known))
    order = pass_order(kernel)
    for shapes in ((500, 100, 10, 100), (500, 500, 224, 400), (100, 500, 50, 100), (50, 50, 90, 20)):
        assert order(*shapes) == known(*shapes)


# Always vertically first, and a boundary one pixel aside on either side.
@CONVOLUTIONS
@pytest.mark.usefixtures("_fresh_order")
@pytest.mark.parametrize(
    "unknown",
    [
        lambda *_: True,
        lambda height, width, out_height, out_width: height - out_height >= 2 * (width - out_width),
        lambda height, width, out_height, out_width: height - out_height > 2 * (width - out_width) + 1,
    ],
    ids=["always", "one less", "one more"],
)
def test_an_unknown_order_is_an_error_that_names_the_version(
    unknown: Callable[[int, int, int, int], bool], kernel: Filter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image.Image, "resize", _pillow_with(unknown))
    with pytest.raises(
        VitequivError, match=rf"^Pillow \S+ resizes \({kernel.value}\) in a way unknown .* not affected$"
    ):
        pass_order(kernel)
