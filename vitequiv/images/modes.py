"""Any Pillow mode to 8-bit RGB, with a note of what was done, or not at all."""

from __future__ import annotations

import numpy as np
from PIL import Image

_PLAIN = {
    "RGB": None,
    "RGBX": None,
    "RGBA": None,
    "1": "1-bit expanded to RGB",
    "L": "greyscale expanded to RGB",
    "LA": "greyscale expanded to RGB",
    "PA": "palette expanded to RGB",
    "P": "palette expanded to RGB",
    "CMYK": "CMYK converted to RGB without its colour profile",
    "YCbCr": "YCbCr converted to RGB",
    "LAB": "LAB converted to RGB",
    "HSV": "HSV converted to RGB",
}
"""Modes that Pillow converts by itself, and the note for opaque pixels."""


class UnsupportedModeError(Exception):
    """The pixels have no honest 8-bit RGB version; the text completes "the file holds ..."."""


def _from_16_bit(image: Image.Image) -> Image.Image:
    levels = np.asarray(image)
    low, high = int(levels.min()), int(levels.max())
    if low < 0 or high > 65535:
        raise UnsupportedModeError(f"integers from {low} to {high}, of which 0..65535 are readable")
    reduced = Image.fromarray(((levels.astype(np.uint32) + 128) // 257).astype(np.uint8))  # 65535 / 255 = 257
    if isinstance(transparent := image.info.get("transparency"), int):
        reduced.putalpha(Image.fromarray(np.where(levels == transparent, 0, 255).astype(np.uint8)))
    return reduced


def _from_float(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):  # NaN fails, too
        raise UnsupportedModeError(f"floats from {values.min():g} to {values.max():g}, of which 0..1 are readable")
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def to_rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """Convert loaded pixels to RGB.

    Args:
        image: A loaded Pillow image of any mode.

    Returns:
        A new RGB image without metadata, and what was done to get it.

    Raises:
        UnsupportedModeError: If the mode or the range of values has no honest conversion.
    """
    notes: list[str] = []
    if image.mode == "I" or image.mode.startswith("I;16"):
        image = _from_16_bit(image)
        notes.append("16-bit reduced to 8 by dividing by 257")
    elif image.mode == "F":
        image = _from_float(image)
        notes.append("floats in 0..1 scaled to 8 bits")
    if image.mode not in _PLAIN:
        raise UnsupportedModeError(f"pixels of mode {image.mode}")
    rgba = image.convert("RGBA") if image.has_transparency_data else None
    if rgba is not None and rgba.getchannel("A").getextrema() != (255, 255):
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        notes.append("alpha composited on white")
    else:
        notes.extend(note for note in (_PLAIN[image.mode],) if note)
        image = image.convert("RGB")
    image.info = {}
    return image, tuple(notes)
