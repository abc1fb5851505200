"""Pairs of views of a scene for siamese training: the object in another pose, before another background.

Views that share their background are matched by it, and nothing need be learnt about the object: hence the swap of
backgrounds within the batch (Ryali et al. 2021, arXiv 2103.12719). Views that share the object's place or size are
matched by these: hence the free pose. Views that share their colour are matched by it, and no shape need be learnt:
hence some scenes are seen in grey. All take the mask that the scene was rendered with; no class is looked at. There is
no change of hue: colour is half of what there is to know about a scene.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

if TYPE_CHECKING:
    from torch import Tensor

_SHARES = (0.08, 0.35)
"""Of the image, that the object covers in a view."""
_LARGEST_SHIFT = 0.35
"""Of half the image, that the object's centre of mass lies off the middle."""
_GAINS = (0.85, 1.15)
_LARGEST_NOISE = 0.05


def random_poses(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw two independent poses for each object.

    Args:
        count: Number of objects, B.
        generator: Source of randomness.

    Returns:
        Two (B, 4): turn in radians, logarithm of the share of the image that is covered, x and y of the centre in
        halves of the image.
    """
    low, high = (math.log(share) for share in _SHARES)
    first, second = (
        torch.stack(
            [
                _uniform(-math.pi, math.pi, count, generator),
                _uniform(low, high, count, generator),
                _uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, count, generator),
                _uniform(-_LARGEST_SHIFT, _LARGEST_SHIFT, count, generator),
            ],
            dim=1,
        )
        for _ in range(2)
    )
    return first, second


def view(images: Tensor, coverage: Tensor, poses: Tensor, grey: int, generator: torch.Generator) -> Tensor:
    """Look at the object of each image afresh.

    Args:
        images: (B, 3, H, W) in [0, 255].
        coverage: (B, 1, H, W) in [0, 1]: the share of each pixel that the object covers.
        poses: (B, 4) as `random_poses` draws them.
        grey: How many of the images, from the first, are seen without colour, the object in a random grey.
        generator: Source of randomness.

    Returns:
        (B, 3, H, W) in [0, 255]: the object in its new pose before the background of another image of the batch, in
        other light and noise.
    """
    outside = 1 - coverage
    colour = (images * outside).sum((2, 3), keepdim=True) / outside.sum((2, 3), keepdim=True)
    behind = (images * outside + colour * coverage)[torch.randperm(len(images), generator=generator)]
    # Weighted by the coverage, so that nothing of the old background bleeds into the outline.
    moved = _posed(torch.cat([images * coverage, coverage], dim=1), poses)
    seen = behind * (1 - moved[:, 3:]) + moved[:, :3]
    seen[:grey] = _grey(behind[:grey], moved[:grey, 3:], generator)
    return _other_light(seen, generator)


def _uniform(low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)


def _posed(cut_out: Tensor, poses: Tensor) -> Tensor:
    """Move the objects of (B, 4, H, W), coverage last, from where they are to the poses."""
    mass = cut_out[:, 3]
    axis = (torch.arange(mass.shape[1]) + 0.5) / mass.shape[1] * 2 - 1
    total = mass.sum((1, 2))
    x, y = (mass.sum(1) @ axis) / total, (mass.sum(2) @ axis) / total
    turn, share, to_x, to_y = poses.unbind(dim=1)
    # From a place in the view back to one in the scene: source = centre + scale * rotation * (place - new centre).
    scale = (total / mass[0].numel() / share.exp()).sqrt()
    cosine, sine = scale * turn.cos(), scale * turn.sin()
    rows = [cosine, -sine, x - cosine * to_x + sine * to_y, sine, cosine, y - sine * to_x - cosine * to_y]
    grid = F.affine_grid(torch.stack(rows, dim=1).view(-1, 2, 3), list(cut_out.shape), align_corners=False)
    return F.grid_sample(cut_out, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def _grey(behind: Tensor, coverage: Tensor, generator: torch.Generator) -> Tensor:
    lightness = behind.mean(1, keepdim=True)
    dark = lightness.mean((1, 2, 3)) > 255 / 2
    level = 255 * _uniform(0, 0.3, len(behind), generator)
    level = torch.where(dark, level, 255 - level)[:, None, None, None]
    return (lightness * (1 - coverage) + level * coverage).expand_as(behind)


def _other_light(images: Tensor, generator: torch.Generator) -> Tensor:
    count = len(images)
    gain = _uniform(*_GAINS, count, generator)[:, None, None, None]
    amount = _uniform(0, _LARGEST_NOISE, count, generator)[:, None, None, None]
    return (images * gain + 255 * amount * torch.randn(images.shape, generator=generator)).clamp(0, 255)
