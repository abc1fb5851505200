"""JPEG as Pillow writes and reads it, and with gradients, so that a match can be made for the file that others open."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from vitequiv.images.canvas import canvas_shape, to_canvas
from vitequiv.images.jpeg_extra import require_codec
from vitequiv.images.lattice import from_uint8, to_uint8
from vitequiv.images.preprocessing import Preprocessing, crop_box

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

KORNIA_QUALITY = 50.0
"""What kornia is told; see `_tables_for_kornia`."""
QUALITIES = range(1, 101)
"""The qualities of libjpeg."""
SUBSAMPLING = "4:2:0"
"""Chroma at half the resolution in both directions: Pillow's default, and what kornia models."""


def encode_jpeg(levels: NDArray[np.uint8], quality: int) -> bytes:
    """Encode as a baseline JPEG with libjpeg's standard tables at a quality, chroma 4:2:0; `Image.save`'s defaults.

    Args:
        levels: (H, W, 3) of uint8.
        quality: 1 to 100.

    Returns:
        The file's bytes; the same levels give the same bytes on one version of Pillow.
    """
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality, subsampling=SUBSAMPLING)
    return buffer.getvalue()


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """Decode a JPEG as Pillow does.

    Args:
        data: The file's bytes.

    Returns:
        (H, W, 3) of uint8.
    """
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def quantisation_tables(quality: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The tables that Pillow quantises luma and chroma with.

    Args:
        quality: 1 to 100.

    Returns:
        Two of 64 whole numbers from 1 to 255, row by row.
    """
    blank = encode_jpeg(np.zeros((16, 16, 3), np.uint8), quality)
    with JpegImageFile(io.BytesIO(blank)) as image:
        return tuple(image.quantization[0]), tuple(image.quantization[1])


def _tables_for_kornia(quality: int) -> tuple[list[float], list[float]]:
    """The same tables, so that kornia ends up with them at `KORNIA_QUALITY`."""
    # It would scale the standard tables by itself, but with smoothed floors, which at most qualities make an entry
    # wrong by almost 1 (a third of a step of 3). At quality 50 its scale is 99.875; an entry of v * 100 / 99.875 gets
    # to the smoothed floor as v + 1/2, where that is exactly v.
    luma, chroma = quantisation_tables(quality)
    return [v * 100 / 99.875 for v in luma], [v * 100 / 99.875 for v in chroma]


def modelled_jpeg(pixels: Tensor, quality: int) -> Tensor:
    """JPEG by kornia's differentiable model (Reich et al. 2024; cubic rounding), with Pillow's own tables.

    Args:
        pixels: (B, 3, H, W) in [0, 1].
        quality: 1 to 100.

    Returns:
        The same shape, on average within 2 levels of 255 of what Pillow decodes.
    """
    import torch
    from kornia.enhance import jpeg_codec_differentiable

    luma, chroma = (torch.tensor(table).view(8, 8).to(pixels) for table in _tables_for_kornia(quality))
    coded: Tensor = jpeg_codec_differentiable(pixels, luma.new_full((1,), KORNIA_QUALITY), luma, chroma)
    return coded


def through_jpeg(pre: Preprocessing, quality: int) -> Callable[[Tensor], Tensor]:
    """What the encoder sees of its pixels after they were saved as a JPEG on the checkpoint's canvas and reloaded.

    The values are those of the real file: rounded to 8 bits, set on the canvas, encoded and decoded by Pillow in memory
    and cropped again. They are constant almost everywhere, so the gradient is that of kornia's differentiable JPEG
    (Reich et al. 2024; cubic rounding) at the same pixels: straight through the difference of the two.

    Args:
        pre: The encoder's preprocessing; its crop decides where the pixels lie among the blocks of the file.
        quality: 1 to 100.

    Returns:
        A function of pixels (B, 3, H, W) in [0, 1] at `pre.input_size`, giving the same shape and dtype. An image that
        is not finite gives NaN.

    Raises:
        UsageError: If kornia is not installed.
        ValueError: If the quality is out of range or the preprocessing has no canvas.
    """
    height, width = canvas_shape(pre)
    top, left, bottom, right = crop_box(pre, height, width)
    return _through(quality, lambda levels: to_canvas(levels, pre), (left, width - right, top, height - bottom))


def through_picture_jpeg(quality: int) -> Callable[[Tensor], Tensor]:
    """What a picture of any size looks like after it was saved as a JPEG and reloaded; else as `through_jpeg`.

    Args:
        quality: 1 to 100.

    Returns:
        A function of pixels (B, 3, h, w) in [0, 1], giving the same shape and dtype.

    Raises:
        UsageError: If kornia is not installed.
        ValueError: If the quality is out of range.
    """
    return _through(quality, lambda levels: levels, (0, 0, 0, 0))


def _through(
    quality: int, place: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], margins: tuple[int, int, int, int]
) -> Callable[[Tensor], Tensor]:
    """Through the JPEG of an image set in `margins` (left, right, top, bottom) by `place`."""
    if quality not in QUALITIES:
        raise ValueError(f"The JPEG quality must be a whole number from 1 to 100, got {quality!r}.")
    require_codec()
    import torch

    left, _, top, _ = margins

    def real(pixels: Tensor) -> Tensor:
        bottom, right = top + pixels.shape[-2], left + pixels.shape[-1]
        seen = torch.full_like(pixels, torch.nan)
        for i, image in enumerate(pixels):
            if bool(image.isfinite().all()):
                levels = decode_jpeg(encode_jpeg(place(to_uint8(image)), quality))
                seen[i] = from_uint8(levels[top:bottom, left:right]).to(pixels)
        return seen

    def modelled(pixels: Tensor) -> Tensor:
        bottom, right = top + pixels.shape[-2], left + pixels.shape[-1]
        canvas = torch.nn.functional.pad(pixels, margins, mode="replicate")
        coded = modelled_jpeg(canvas, quality)
        return coded[..., top:bottom, left:right]

    def see(pixels: Tensor) -> Tensor:
        file = real(pixels.detach())
        if not (torch.is_grad_enabled() and pixels.requires_grad):
            return file
        model = modelled(pixels)
        return file + (model - model.detach())  # exactly the file's values: the bracket is zero

    return see
