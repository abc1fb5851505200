"""The module of the image half of an open_clip model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class VisualTower(nn.Module):
    """Normalised images to their projections, not normalised: `encode_image(x, normalize=False)` without the text half.

    Args:
        model: The open_clip model.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.visual: nn.Module = model.visual

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, n)
        """Embed images.

        Args:
            pixels: Normalised images (B, 3, H, W).

        Returns:
            Embeddings (B, n).
        """
        with _one_kernel():
            output = self.visual(pixels)
        features: Tensor = output[0] if isinstance(output, tuple) else output  # CoCa returns its tokens as well
        return features


@contextmanager
def _one_kernel() -> Iterator[None]:
    """Keep `nn.MultiheadAttention` off its fast path, which it takes only where no gradient is wanted.

    On it the embedding differs in the last bits from the one that is differentiated, and there is no forward mode.
    """
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)
