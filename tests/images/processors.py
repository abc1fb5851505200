"""Every family's own processor beside our description of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

IMAGENET_MEAN = (0.485, 0.456, 0.406)
ZERO, ONE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def resizes_in_8_bits() -> bool:
    """Whether torchvision resizes 8-bit images bilinearly as they are, or as floats: by processor and version."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2.functional import _geometry

    return _geometry._do_native_uint8_resize_on_cpu(InterpolationMode.BILINEAR)


class Official(NamedTuple):
    name: str
    pre: Preprocessing
    make: Callable[[], Callable[[Image.Image], np.ndarray]]
    """Gives the processor, as a function of an RGB image to (H, W, 3) of whole levels; imports its library."""


def _describe(resize: Resize | None, crop: Crop | None) -> Preprocessing:
    return Preprocessing(resize, crop, ZERO, ONE)


def _size(value: int | tuple[int, int]) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


def _transformers(
    name: str, size: int, mode: ResizeMode, kernel: Filter, crop: int | None = None, module: str = "vit"
) -> Official:
    def make() -> Callable[[Image.Image], np.ndarray]:
        import transformers

        settings: dict[str, Any] = {"resample": int(kernel.pillow), "do_center_crop": crop is not None}
        settings["size"] = {"shortest_edge": size} if mode is ResizeMode.SHORTEST else {"height": size, "width": size}
        if crop is not None:
            settings["crop_size"] = {"height": crop, "width": crop}
        classes = {"clip": "CLIP", "beit": "Beit", "vit": "ViT", "deit": "DeiT"}
        processor = getattr(transformers, f"{classes[module]}ImageProcessorPil")(**settings)

        def run(image: Image.Image) -> np.ndarray:
            out = processor(images=image, do_rescale=False, do_normalize=False, return_tensors="np")["pixel_values"][0]
            return out.transpose(1, 2, 0)

        return run

    resize = Resize(_size(size), mode, kernel)
    return Official(name, _describe(resize, None if crop is None else Crop(_size(crop), Rounding.HF)), make)


def _open_clip(mode: str, size: int | tuple[int, int], interpolation: str = "bicubic", fill: int = 0) -> Official:
    def make() -> Callable[[Image.Image], np.ndarray]:
        from open_clip.transform import image_transform

        transform = image_transform(
            size, is_train=False, mean=ZERO, std=ONE, resize_mode=mode, interpolation=interpolation, fill_color=fill
        )
        return lambda image: transform(image).permute(1, 2, 0).numpy() * np.float32(255)

    resize = Resize(_size(size), ResizeMode(mode), Filter.from_name(interpolation))
    crop = None if mode == "squash" else Crop(_size(size), Rounding.TORCHVISION, fill)
    return Official(f"open_clip {mode} {size} {interpolation}", _describe(resize, crop), make)


def _timm(mode: str, crop_pct: float, size: int | tuple[int, int] = 224, interpolation: str = "bicubic") -> Official:
    def make() -> Callable[[Image.Image], np.ndarray]:
        from timm.data import create_transform

        transform = create_transform(
            (3, *_size(size)),
            interpolation=interpolation,
            mean=IMAGENET_MEAN,
            crop_pct=crop_pct,
            crop_mode=mode,
            normalize=False,
        )
        return lambda image: transform(image).permute(1, 2, 0).numpy()

    scale = tuple(math.floor(edge / crop_pct) for edge in _size(size))
    modes = {"center": ResizeMode.SHORTEST, "squash": ResizeMode.SQUASH, "border": ResizeMode.LONGEST}
    fill = tuple(round(255 * value) for value in IMAGENET_MEAN) if mode == "border" else 0
    resize = Resize(scale, modes[mode], Filter.from_name(interpolation))  # type: ignore[arg-type]
    crop = Crop(_size(size), Rounding.TORCHVISION, fill)  # type: ignore[arg-type]
    return Official(f"timm {mode} {size} {crop_pct} {interpolation}", _describe(resize, crop), make)


FAMILIES = (
    _transformers("clip", 224, ResizeMode.SHORTEST, Filter.BICUBIC, 224, "clip"),
    _transformers("beit", 224, ResizeMode.SQUASH, Filter.BILINEAR, module="beit"),
    _transformers("swin, vitmae", 224, ResizeMode.SQUASH, Filter.BICUBIC),
    _transformers("vitmsn", 224, ResizeMode.SQUASH, Filter.BILINEAR),
    _transformers("deit", 256, ResizeMode.SQUASH, Filter.BICUBIC, 224, "deit"),
    *(_open_clip(mode, 224) for mode in ("shortest", "longest", "squash")),
    *(_timm(mode, pct) for mode in ("center", "squash", "border") for pct in (0.875, 0.9, 0.95, 1.0)),
)
"""What the well-known checkpoints do; an image of the input size passes each of them by way of its canvas."""

ODD = (
    _transformers("clip at 51, crop 36", 51, ResizeMode.SHORTEST, Filter.LANCZOS, 36, "clip"),
    _transformers("squash nearest", 40, ResizeMode.SQUASH, Filter.NEAREST),
    _open_clip("shortest", (60, 45)),
    _open_clip("longest", (45, 60), "bilinear", fill=127),
    _open_clip("squash", (45, 60), "bilinear"),
    _timm("center", 0.9, (60, 45), "bilinear"),
    _timm("border", 0.9, (45, 60), "lanczos"),
    _timm("squash", 0.77, 51, "hamming"),
    _timm("center", 0.77, 51, "box"),
)
"""Odd margins, non-square inputs, the other filters."""

PADDING = (
    _transformers("clip at 37, crop 50", 37, ResizeMode.SHORTEST, Filter.BICUBIC, 50, "clip"),
    _transformers("deit at 37, crop 50", 37, ResizeMode.SQUASH, Filter.BICUBIC, 50, "deit"),
    _timm("squash", 1.2, 51),
)
"""Crops larger than the resize, which pad every image."""
