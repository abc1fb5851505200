"""Does our description of a processor do what the processor does? Tried on noise, at every load."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import Preprocessing, preprocess_uint8

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHAPES = ((301, 455), (455, 300), (41, 30))
"""Heights and widths tried: shrinking and enlarging, lying and standing, odd margins where crops are rounded."""

TOLERANCE = 1e-3
"""In units of [0, 1]: a quarter of one 8-bit level. float32 arithmetic is 1e-6 off, a wrong pixel 4e-3."""


LARGEST_EDGE = 4096
"""Pixels that an image may be enlarged to; 224 px are cropped from 256."""


def verify_preprocessing(
    preprocessing: Preprocessing, official: Callable[[Image.Image], NDArray[np.float32]], what: str, spec: str
) -> None:
    """Compare a `Preprocessing` with the code it describes.

    Args:
        preprocessing: Our description.
        official: The library's own processor on the Pillow backend: an RGB image to normalised (3, H, W).
        what: The processor's name, for the message.
        spec: The encoder spec, for the message.

    Raises:
        ModelError: If they differ anywhere by more than a quarter of an 8-bit level, or make images that are too large.
            Cost: three small images.
    """
    resize, crop = preprocessing.resize, preprocessing.crop
    edge = max((*(resize.size if resize else ()), *(crop.size if crop else ())), default=0)
    if edge > LARGEST_EDGE:
        raise ModelError(
            f"The image processor {what} of {spec} makes images of {edge:,} pixels a side, where no more than "
            f"{LARGEST_EDGE:,} are made: correct its settings."
        )
    generator = np.random.default_rng(0)
    mean, std = (np.asarray(v, dtype=np.float64)[:, None, None] for v in (preprocessing.mean, preprocessing.std))
    for height, width in SHAPES:
        image = Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))
        theirs = np.asarray(official(image), dtype=np.float64)
        ours = preprocess_uint8(preprocessing, image).transpose(2, 0, 1) / 255
        if theirs.shape != ours.shape or float(np.abs(theirs * std + mean - ours).max()) > TOLERANCE:
            raise ModelError(
                f"The image processor {what} of {spec} does more than resize, crop and normalise: "
                "vitequiv cannot reproduce it and would measure another model."
            )
