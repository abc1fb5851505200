"""Pillow's resize of 8-bit images as two matrix products, bit-exact and differentiable.

Pillow resizes one axis, rounds and clips to 8 bits, then resizes the other. Both passes are linear maps with known
weights (`weights.py`), so the same levels come out of two products in float64, where all sums are exact. Rounding and
clipping are straight-through: the gradient is that of the two linear maps (Bengio et al., arXiv 1308.3432).
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL
import torch
from PIL import Image
from torch import Tensor

from vitequiv.errors import VitequivError
from vitequiv.images.weights import weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from vitequiv.images.preprocessing import Filter

    PassOrder = Callable[[int, int, int, int], bool]
    Box = tuple[int, int, int, int]


class _RoundLevels(torch.autograd.Function):
    """`clip(floor(x + 0.5), 0, 255)`, with the derivative of the identity in either direction."""

    generate_vmap_rule = True

    @staticmethod
    def forward(levels: Tensor) -> Tensor:
        return torch.floor(levels + 0.5).clamp(0, 255)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        del ctx, inputs, output

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        del ctx
        return gradient

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        del ctx
        return tangent.clone()


def round_levels(levels: Tensor) -> Tensor:
    """Round to the nearest 8-bit level and clip, straight-through.

    Args:
        levels: Any shape, in 8-bit levels.

    Returns:
        Whole numbers in 0..255 of the same shape and dtype; the gradient passes unchanged, also where it was clipped.
    """
    rounded: Tensor = _RoundLevels.apply(levels)
    return rounded


def exact_levels(pixels: Tensor) -> Tensor:
    """Pixels as whole 8-bit levels in a dtype that holds all later sums exactly.

    Args:
        pixels: (B, 3, h, w) float32 or float64 in [0, 1].

    Returns:
        The same shape, float64, whole numbers in 0..255, straight-through; on the CPU if the device has no float64.

    Raises:
        ValueError: If the shape or dtype is another; bfloat16 cannot tell all 8-bit levels from each other.
    """
    if pixels.ndim != 4 or pixels.dtype not in {torch.float32, torch.float64}:
        raise ValueError(
            f"expected pixels of shape (B, 3, h, w), float32 or float64, in [0, 1]; got {tuple(pixels.shape)}, "
            f"{pixels.dtype}; add a batch axis or convert with .float()"
        )
    if pixels.device.type == "mps":  # Metal has no float64
        pixels = pixels.cpu()
    return round_levels(pixels.double() * 255)


@lru_cache(maxsize=32)  # a 12-megapixel photo needs two matrices of at most 7 MB
def _matrix(in_size: int, out_size: int, kernel: Filter, start: int, stop: int, device: torch.device) -> Tensor:
    return torch.from_numpy(weights(in_size, out_size, kernel, start, stop)).to(device)


def _passes(levels: Tensor, out: tuple[int, int], kernel: Filter, box: Box, vertical_first: bool) -> Tensor:
    (height, width), (top, left, bottom, right) = levels.shape[-2:], box

    def vertical(levels: Tensor) -> Tensor:
        if height == out[0]:  # Pillow leaves this pass out
            return levels[..., top:bottom, :]
        return round_levels(_matrix(height, out[0], kernel, top, bottom, levels.device) @ levels)

    def horizontal(levels: Tensor) -> Tensor:
        if width == out[1]:
            return levels[..., left:right]
        return round_levels(levels @ _matrix(width, out[1], kernel, left, right, levels.device).T)

    return horizontal(vertical(levels)) if vertical_first else vertical(horizontal(levels))


def _tall_first(height: int, width: int, out_height: int, out_width: int) -> bool:
    return out_height < height and height - out_height > 2 * (width - out_width)


def _never(height: int, width: int, out_height: int, out_width: int) -> bool:
    del height, width, out_height, out_width
    return False


_ORDERS: dict[str, PassOrder] = {"vertical first when much is lost in height": _tall_first, "horizontal first": _never}
"""Whether the vertical pass is the first: the rules of Pillow from 13.0 on, and of all before."""

# (height, width) -> (height, width): on either side of the rule's boundary, enlarging, and plainly on both sides.
_PROBES = (
    ((73, 48), (30, 27)),
    ((72, 48), (30, 27)),
    ((72, 48), (60, 90)),
    ((72, 48), (75, 90)),
    ((120, 60), (39, 24)),
    ((48, 72), (27, 30)),
    ((90, 90), (42, 41)),
    ((36, 35), (60, 61)),
)


@cache
def pass_order(kernel: Filter) -> PassOrder:
    """Which pass this Pillow runs first, found by trying it; once a process and filter, in some milliseconds.

    Args:
        kernel: The filter.

    Returns:
        A function of (height, width, out_height, out_width) that is true where the vertical pass comes first.

    Raises:
        VitequivError: If Pillow's results are neither of the two known ones.
    """
    generator = np.random.default_rng(0)
    fits = dict(_ORDERS)
    for shape, out in _PROBES:
        # On images this large the roundings between the passes show their order for every filter, even for BOX.
        noise = generator.integers(0, 256, shape, dtype=np.uint8)
        expected = np.asarray(Image.fromarray(noise).resize(out[::-1], kernel.pillow))
        levels = torch.from_numpy(noise).double()
        for name, order in list(fits.items()):
            ours = _passes(levels, out, kernel, (0, 0, *out), order(*shape, *out))
            if not np.array_equal(ours.numpy(), expected):
                del fits[name]
    if not fits:
        raise VitequivError(
            f"Pillow {PIL.__version__} resizes ({kernel.value}) in a way unknown to vitequiv, so gradients through the "
            "resize are not exact: install Pillow 12 or 13; work at the model's own input size is not affected"
        )
    return next(iter(fits.values()))


def resize_levels(levels: Tensor, out: tuple[int, int], kernel: Filter, box: Box | None = None) -> Tensor:
    """Pillow's resize of whole 8-bit levels, and a crop out of the result at no cost for what is cut off.

    Args:
        levels: (B, 3, h, w) float64, whole numbers in 0..255.
        out: (h, w) after the resize, in pixels.
        kernel: The filter.
        box: (top, left, bottom, right) of the crop within the resized image; all of it if None.

    Returns:
        (B, 3, bottom - top, right - left) of whole levels, bit for bit as Pillow; gradients straight-through.
    """
    height, width = levels.shape[-2:]
    vertical_first = (height, width) != out and pass_order(kernel)(height, width, *out)
    return _passes(levels, out, kernel, box or (0, 0, *out), vertical_first)


def resize(pixels: Tensor, out: tuple[int, int], kernel: Filter) -> Tensor:
    """`Image.resize` as a differentiable function of pixels.

    Args:
        pixels: (B, 3, h, w) float32 or float64 in [0, 1]; rounded to 8 bits first, straight-through.
        out: (h, w) after the resize, in pixels.
        kernel: The filter.

    Returns:
        (B, 3, *out) in [0, 1], on the 8-bit lattice, of the dtype and on the device of `pixels`. The vector-Jacobian
        product is that of the two weight matrices.
    """
    levels = resize_levels(exact_levels(pixels), out, kernel)
    return levels.to(pixels.device, pixels.dtype) / 255
