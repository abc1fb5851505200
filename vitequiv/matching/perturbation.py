"""How far a match is from its source, in the terms people use."""

from __future__ import annotations

import math

from torch import Tensor

from vitequiv.images.lattice import quantise
from vitequiv.matching.lpips import lpips
from vitequiv.matching.similarity import ssim
from vitequiv.precision import wide
from vitequiv.results.match import Perturbation


def measure_perturbation(start: Tensor, pixels: Tensor) -> Perturbation:
    """Measure a change of pixels.

    Args:
        start: (3, H, W) in [0, 1].
        pixels: The same shape.

    Returns:
        Norms of the change, in [0, 1] and in 8-bit levels (both images rounded).
    """
    change = wide(pixels - start)
    levels = (wide(quantise(pixels) - quantise(start)) * 255).round()
    mean_square = levels.square().mean().item()
    return Perturbation(
        l2=change.norm().item(),
        mean_abs=change.abs().mean().item(),
        linf=change.abs().max().item(),
        mean_abs_8bit=levels.abs().mean().item(),
        linf_8bit=int(levels.abs().max().item()),
        psnr_db=10 * math.log10(255**2 / mean_square) if mean_square else math.inf,
        ssim=ssim(start, pixels),
        lpips=lpips(start, pixels),
    )
