"""Maps from pixels to embeddings with known null spaces, and a count of all passes made through any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tests.matching.maps import matrix

Embed = Callable[[Tensor], Tensor]


def linear(pixels: Tensor) -> Tensor:
    return pixels.flatten(1) @ matrix().T


def quadratic(pixels: Tensor) -> Tensor:
    """Five quadrics, so that the classes of equal embedding are curved everywhere."""
    return (pixels - 0.2).square().flatten(1) @ matrix(7).T


@dataclass
class Passes:
    """Images embedded and products with J or its transpose, as they happen."""

    forwards: int = 0
    products: int = 0

    @property
    def all(self) -> int:
        return self.forwards + self.products


def counting(embed: Embed, monkeypatch) -> tuple[Embed, Passes]:
    """Count the images that go through a map and every call of autograd: vjps, their graphs, and jvps alike."""
    passes = Passes()
    grad = torch.autograd.grad

    def counted_grad(*arguments, **options):
        passes.products += 1
        return grad(*arguments, **options)

    def counted(pixels: Tensor) -> Tensor:
        passes.forwards += len(pixels)
        return embed(pixels)

    monkeypatch.setattr(torch.autograd, "grad", counted_grad)
    return counted, passes
