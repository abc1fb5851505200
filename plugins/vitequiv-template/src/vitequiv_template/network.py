"""The network, an ordinary torch module."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)
"""Grey of red, green and blue (ITU-R BT.601), as Pillow's `convert("L")` has it."""


class Frequencies(nn.Module):
    """Low frequencies of an image's cosine transform, orthonormal and of type II, but for the zeroth row and column.

    Args:
        count: Frequencies in each direction.
        side: Side of the image in pixels.
    """

    cosines: Tensor
    luma: Tensor

    def __init__(self, count: int, side: int) -> None:
        super().__init__()
        frequency = torch.arange(1, count + 1, dtype=torch.float64)[:, None]
        place = torch.arange(side, dtype=torch.float64)[None, :] + 0.5
        cosines = math.sqrt(2 / side) * torch.cos(math.pi / side * frequency * place)
        # Buffers, so that vitequiv moves them to the device and dtype, and their digest tells phash:8 from phash:9.
        self.register_buffer("cosines", cosines.float())  # (count, side)
        self.register_buffer("luma", torch.tensor(LUMA))

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, side, side) -> (B, count * count)
        """Embed images, each by itself.

        Args:
            pixels: Normalised images (B, 3, side, side).

        Returns:
            Embeddings (B, count * count), rows of frequencies one after the other.
        """
        grey = torch.einsum("c,bchw->bhw", self.luma, pixels)
        return (self.cosines @ grey @ self.cosines.T).flatten(1)
