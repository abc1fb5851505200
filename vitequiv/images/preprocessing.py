"""What a checkpoint's own image processor does to a photo, as data.

Four libraries (transformers, torchvision, open_clip, timm) resize and crop by four sets of rules. Each is a
`Preprocessing` here: at most one resize, at most one centre crop, then the encoder's mean and std. The sources read are
`transformers.image_transforms` (`get_resize_output_image_size`, `center_crop`; PIL backend), `torchvision.transforms`
(`Resize`, `CenterCrop`), `open_clip.transform` and `timm.data.transforms` (`ResizeKeepRatio`, `CenterCropOrPad`).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from vitequiv.errors import ImageError
from vitequiv.images.filters import Filter as Filter  # part of this module's interface

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_PIXELS = 89_478_485
"""Pillow's own limit, 1/4 GiB of 24-bit pixels; neither an image nor its resized version may have more."""


class ResizeMode(Enum):
    """What the size of a resize means."""

    SQUASH = "squash"
    """Exactly to (h, w); the aspect ratio is lost."""
    SHORTEST = "shortest"
    """The image just covers (h, w). For h = w the long edge is `int(size * long / short)` (transformers, torchvision);
    for h != w both edges are `round(edge / ratio)` (`ResizeKeepRatio` of timm and open_clip)."""
    LONGEST = "longest"
    """The image just fits into (h, w); both edges are `round(edge / ratio)`. A crop pads what is missing."""


class Rounding(Enum):
    """Where a centre crop falls when the margin is odd; n is the image's edge, c the crop's."""

    HF = "hf"
    """transformers, PIL backend: crop at floor((n - c) / 2); a smaller image is preceded by ceil((c - n) / 2) of
    fill."""
    TORCHVISION = "torchvision"
    """torchvision, open_clip, timm: crop at round((n - c) / 2), halves to even; a smaller image is preceded by
    floor((c - n) / 2) of fill."""

    def offset(self, edge: int, crop: int) -> int:
        """Where the crop begins along one edge.

        Args:
            edge: Length of the image's edge in pixels.
            crop: Length of the crop's edge in pixels.

        Returns:
            Offset in pixels; negative if the image is smaller than the crop, which is then padded before it.
        """
        if edge < crop:
            missing = crop - edge
            return -(math.ceil(missing / 2) if self is Rounding.HF else missing // 2)
        margin = edge - crop
        return margin // 2 if self is Rounding.HF else round(margin / 2)


def _check_size(owner: str, size: object) -> None:
    if not (isinstance(size, tuple) and len(size) == 2 and all(type(edge) is int and edge > 0 for edge in size)):
        raise ValueError(f"{owner}.size must be a tuple of two positive ints (height, width), got {size!r}")


@dataclass(frozen=True)
class Resize:
    """One resize.

    Args:
        size: (h, w) in pixels, as `mode` reads it; for an int size of a library give it twice.
        mode: What `size` means.
        filter: Resampling filter.

    Raises:
        ValueError: If the size is not two positive ints.
    """

    size: tuple[int, int]
    mode: ResizeMode
    filter: Filter

    def __post_init__(self) -> None:
        _check_size("Resize", self.size)


@dataclass(frozen=True)
class Crop:
    """One centre crop, which pads where the image is smaller.

    Args:
        size: (h, w) in pixels.
        rounding: Whose rule decides the offset.
        fill: Level 0..255 of the padding, one for all channels or one for each (timm's `border` mode).

    Raises:
        ValueError: If the size is not two positive ints or the fill no 8-bit level.
    """

    size: tuple[int, int]
    rounding: Rounding
    fill: int | tuple[int, int, int] = 0

    def __post_init__(self) -> None:
        _check_size("Crop", self.size)
        levels = self.fill if isinstance(self.fill, tuple) else (self.fill,) * 3
        if len(levels) != 3 or not all(type(level) is int and 0 <= level <= 255 for level in levels):
            raise ValueError(f"Crop.fill must be an int in 0..255, or three of them, got {self.fill!r}")

    @property
    def fill_rgb(self) -> tuple[int, int, int]:
        """The fill of each channel, 0..255."""
        return self.fill if isinstance(self.fill, tuple) else (self.fill,) * 3


@dataclass(frozen=True)
class Preprocessing:
    """A checkpoint's own preprocessing: resize, crop, scale to [0, 1], normalise.

    Args:
        resize: The resize, or None for none.
        crop: The crop, or None for none.
        mean: Mean of each channel, in units of [0, 1]; applied by the encoder, never by this package.
        std: Standard deviation of each channel, in units of [0, 1].

    Raises:
        ValueError: If the two together do not fix the size of the result, or mean or std are no statistics of pixels.
    """

    resize: Resize | None
    crop: Crop | None
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.crop is None and (self.resize is None or self.resize.mode is not ResizeMode.SQUASH):
            had = "no resize" if self.resize is None else f"a resize of mode {self.resize.mode.value!r}"
            raise ValueError(f"{had} without a crop leaves the input size open; give a crop or a 'squash' resize")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not (isinstance(values, tuple) and len(values) == 3 and all(math.isfinite(value) for value in values)):
                raise ValueError(f"Preprocessing.{name} must be a tuple of three finite numbers, got {values!r}")
        if min(self.std) <= 0:
            raise ValueError(f"Preprocessing.std must be positive, got {self.std!r}")

    @property
    def input_size(self) -> tuple[int, int]:
        """(H, W) of what the encoder sees, in pixels."""
        last = self.crop or self.resize
        assert last is not None  # __post_init__ has seen to it; for the type checker
        return last.size

    @property
    def sha256(self) -> str:
        """Digest of all of it."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values, enums by their values.

        Returns:
            A new dictionary with the keys resize, crop, mean, std.
        """

        def plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
            return {key: value.value if isinstance(value, Enum) else value for key, value in items}

        return asdict(self, dict_factory=plain)


def resized_shape(pre: Preprocessing, height: int, width: int) -> tuple[int, int]:
    """Shape of an image after the resize and before the crop.

    Args:
        pre: The preprocessing.
        height: Height of the image in pixels.
        width: Width of the image in pixels.

    Returns:
        (h, w) in pixels; the image's own shape if there is no resize.

    Raises:
        ValueError: If the image has no pixels.
        ImageError: If the image is so narrow that its processor would make it empty or larger than `MAX_PIXELS`.
    """
    if height < 1 or width < 1:
        raise ValueError(f"expected an image of at least 1 x 1 pixels, got {height} x {width}")
    if pre.resize is None:
        return height, width
    (target_h, target_w), mode = pre.resize.size, pre.resize.mode
    if mode is ResizeMode.SQUASH:
        return target_h, target_w
    if mode is ResizeMode.SHORTEST and target_h == target_w:
        short, long = sorted((height, width))
        new_long = int(target_h * long / short)
        shape = (new_long, target_h) if width <= height else (target_h, new_long)
    else:
        pick = min if mode is ResizeMode.SHORTEST else max
        ratio = pick(height / target_h, width / target_w)
        shape = round(height / ratio), round(width / ratio)
    if min(shape) < 1 or shape[0] * shape[1] > MAX_PIXELS:
        raise ImageError(
            f"an image of {width} x {height} pixels (width x height) is too narrow for this model, whose processor "
            f"would make it {shape[1]} x {shape[0]}; crop it nearer to a square"
        )
    return shape


def crop_box(pre: Preprocessing, height: int, width: int) -> tuple[int, int, int, int]:
    """Which part of the resized image the encoder sees.

    Args:
        pre: The preprocessing.
        height: Height of the image before the resize, in pixels.
        width: Width of the image before the resize, in pixels.

    Returns:
        (top, left, bottom, right) in pixels of the resized image, bottom and right exclusive; where it reaches outside,
        there is fill.
    """
    shape = resized_shape(pre, height, width)
    if pre.crop is None:
        return 0, 0, *shape
    top, left = (pre.crop.rounding.offset(edge, crop) for edge, crop in zip(shape, pre.crop.size, strict=True))
    return top, left, top + pre.crop.size[0], left + pre.crop.size[1]


def preprocess_uint8(pre: Preprocessing, image: Image.Image) -> NDArray[np.uint8]:
    """The geometric part of the preprocessing, by Pillow itself.

    Divide by 255 for pixels in [0, 1]; mean and std belong to the encoder. The image is converted to RGB first, as timm
    and CLIP's processor do (open_clip converts after resizing, which differs for palette and alpha images alone).

    Args:
        pre: The preprocessing.
        image: Any Pillow image.

    Returns:
        (H, W, 3) of 8-bit levels, writable, at `pre.input_size`.
    """
    rgb = image.convert("RGB")
    height, width = resized_shape(pre, rgb.height, rgb.width)
    if pre.resize is not None:
        resized = np.asarray(rgb.resize((width, height), pre.resize.filter.pillow))
    else:
        resized = np.asarray(rgb)
    if pre.crop is None:
        return resized.copy()
    top, left, bottom, right = crop_box(pre, rgb.height, rgb.width)
    out = np.empty((*pre.crop.size, 3), dtype=np.uint8)
    out[:] = pre.crop.fill_rgb
    inside = resized[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    row, column = max(-top, 0), max(-left, 0)
    out[row : row + inside.shape[0], column : column + inside.shape[1]] = inside
    return out
