"""Checks of what happens to an image before the network."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from vitequiv.encoders.checkpoints.verify import SHAPES, TOLERANCE
from vitequiv.testing.subject import CheckError, InapplicableError, Official, Subject

_KINDS = ("RGB", "L", "RGBA", "P")


def pixels(subject: Subject) -> None:
    """Photos of any size and kind become (3, H, W) in [0, 1], multiples of 1/255, and mean and std fit that range.

    Raises:
        CheckError: If the size, range or lattice is another.
    """
    encoder = subject.encoder
    for number, (height, width) in enumerate(SHAPES):
        for kind in _KINDS:
            found = encoder.preprocess(_noise(height, width, number).convert(kind))
            expected = (3, *encoder.input_size)
            what = f"a {kind} image of {width} x {height}"
            if tuple(found.shape) != expected or found.dtype != encoder.pixel_dtype or found.device.type != "cpu":
                raise CheckError(
                    f"{what} became {found.dtype} of shape {tuple(found.shape)} on {found.device}, "
                    f"not {encoder.pixel_dtype} of shape {expected} on the CPU",
                    "describe the geometry by Preprocessing and leave Encoder.preprocess as it is",
                )
            low, high = float(found.min()), float(found.max())
            off = float((found * 255 - (found * 255).round()).abs().max())
            if not (low >= 0 and high <= 1 and off < 1e-3):  # float32 holds 255 levels to 3e-5
                raise CheckError(
                    f"{what} became pixels from {low:.3g} to {high:.3g}, {off:.2g} levels off the multiples of 1/255",
                    "pixels are sRGB in [0, 1]: neither 0..255 nor normalised",
                )
    _statistics(subject)


def _statistics(subject: Subject) -> None:
    preprocessing = subject.encoder.preprocessing
    if not all(0 <= mean <= 1 for mean in preprocessing.mean) or not all(0 < std <= 1 for std in preprocessing.std):
        black, white = (subject.encoder.normalise(torch.full_like(subject.noise(1), level)) for level in (0.0, 1.0))
        raise CheckError(
            f"mean {preprocessing.mean} and std {preprocessing.std} map black to {float(black.min()):.3g} and white to "
            f"{float(white.max()):.3g}",
            "mean and std are in units of pixels in [0, 1]: divide those for 0..255 by 255",
        )


def preprocessing(subject: Subject) -> None:
    """Photos become what the checkpoint's own processor makes of them, to a quarter of an 8-bit level.

    Raises:
        CheckError: If they do not.
        InapplicableError: If there is no processor to compare with.
    """
    officials = [subject.official] if subject.official else _declared(subject)
    if not officials:
        raise InapplicableError(
            "no exact processor is named: pass official=, or name one with exact=True in the tower's processors"
        )
    encoder = subject.encoder
    std = np.asarray(encoder.preprocessing.std)[:, None, None]
    for official in officials:
        for number, (height, width) in enumerate(SHAPES):
            image = _noise(height, width, number)
            theirs = np.asarray(official(image), dtype=np.float64)
            ours = encoder.normalise(encoder.preprocess(image)[None])[0].double().cpu().numpy()
            what = f"an image of {width} x {height}"
            if theirs.shape != ours.shape:
                raise CheckError(
                    f"{what} becomes {ours.shape}, through the official processor {theirs.shape}",
                    "correct the sizes of Resize and Crop",
                )
            worst = float(np.abs((theirs - ours) * std).max()) * 255
            if not worst <= TOLERANCE * 255:
                raise CheckError(
                    f"{what} differs by up to {worst:.3g} of 255 levels from the official processor's",
                    "correct Resize (mode, filter), Crop (rounding), mean and std of Preprocessing, or compare with "
                    "the processor's Pillow backend",
                )


def _declared(subject: Subject) -> list[Official]:
    """The processors that the adapter itself names as exact, where the tower has any."""
    return [processor.process for processor in subject.encoder.tower.processors() if processor.exact]


def _noise(height: int, width: int, seed: int) -> Image.Image:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(levels)
