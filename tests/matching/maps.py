"""Small maps from pixels to embeddings with known answers, in float64."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SIDE, DIM = 6, 5
PIXELS = 3 * SIDE * SIDE


def random_images(count: int, seed: int, low: float = 0.3, high: float = 0.7) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return low + (high - low) * torch.rand((count, 3, SIDE, SIDE), generator=generator, dtype=torch.float64)


def matrix(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((DIM, PIXELS), generator=generator, dtype=torch.float64) / PIXELS**0.5


def linear(a: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda pixels: pixels.flatten(1) @ a.T


def curved(pixels: Tensor) -> Tensor:
    """Two layers with a smooth nonlinearity between."""
    first = torch.tanh(3 * (pixels - 0.5).flatten(1) @ torch.cat([matrix(1), matrix(2), matrix(3)]).T)
    generator = torch.Generator().manual_seed(4)
    return first @ torch.randn((3 * DIM, DIM), generator=generator, dtype=torch.float64)


class Counting:
    """A map that counts the images it embeds and the images whose graph is walked backwards."""

    def __init__(self, embed: Callable[[Tensor], Tensor]) -> None:
        self._embed = embed
        self.forwards = 0
        self.vjps = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.forwards += len(pixels)
        embedding = self._embed(pixels)
        if embedding.requires_grad:
            embedding.register_hook(self._count_backward)
        return embedding

    def _count_backward(self, cotangent: Tensor) -> None:
        self.vjps += len(cotangent)
