"""Maps with a Jacobian known in advance, in float64, on images of 3 x 4 x 5 pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SHAPE = (3, 4, 5)
M = 60


def orthonormal(rows: int, columns: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn((rows, columns), generator=generator, dtype=torch.float64)).Q


def with_singular_values(values: list[float], n: int | None = None, m: int = M) -> Tensor:
    """A matrix (n, m) with these singular values and zeros beside them."""
    s = torch.tensor(values, dtype=torch.float64)
    return orthonormal(n or len(s), len(s), 1) @ torch.diag(s) @ orthonormal(m, len(s), 2).T


def linear(a: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda pixels: pixels.flatten(1) @ a.T


def curved(pixels: Tensor) -> Tensor:
    a = with_singular_values([3.0, 2.0, 1.0, 0.5, 0.1])
    return torch.tanh(pixels.flatten(1) @ a.T).cumsum(1)


def image(seed: int = 0) -> Tensor:
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reference(embed: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """The dense Jacobian by torch's own loop."""
    jacobian = torch.autograd.functional.jacobian(lambda x: embed(x[None])[0], pixels)
    return jacobian.reshape(jacobian.shape[0], -1)


class Counting:
    """A map that counts the images it embeds."""

    def __init__(self, embed: Callable[[Tensor], Tensor]) -> None:
        self._embed = embed
        self.images = 0

    def __call__(self, pixels: Tensor) -> Tensor:
        self.images += len(pixels)
        return self._embed(pixels)
