"""A network for which the memory runs out when it gets too many images together, or one of them."""

from __future__ import annotations

from dataclasses import replace

import torch

from vitequiv import load_encoder
from vitequiv.encoders.base import Encoder, VisionTower


class Narrow(torch.nn.Module):
    """Raises as a device does whose memory runs out.

    Args:
        inner: The network.
        most: Images that fit.
        error: What it raises.
    """

    def __init__(self, inner: torch.nn.Module, most: int, error: Exception) -> None:
        super().__init__()
        self.inner, self.most, self.error = inner, most, error
        self.batches: list[int] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.batches.append(len(x))
        red = (x[:, 0, :4, :4] > 0.9).flatten(1).all(1) & (x[:, 1, :4, :4] < -0.9).flatten(1).all(1)
        if len(x) > self.most or red.any():
            raise self.error
        return self.inner(x)


def narrow_encoder(most: int, error: Exception | None = None, spec: str = "tiny-clip") -> tuple[Encoder, Narrow]:
    """An encoder that takes so many images together; what has a red corner never fits."""
    encoder = load_encoder(spec)
    tower = encoder.tower
    narrow = Narrow(tower.module, most, error or torch.OutOfMemoryError("CUDA out of memory"))
    return replace(encoder, tower=VisionTower(narrow, tower.preprocessing, head=tower.head, text=tower.text)), narrow
