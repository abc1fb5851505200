"""What a check is given, and the two ways in which it can end other than by passing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.probe import BATCH_TOLERANCE, relative

Official = Callable[[Image.Image], Any]
"""The checkpoint's own image processor: an RGB image to normalised pixels (3, H, W), a tensor or an array."""


class CheckError(Exception):
    """A property does not hold.

    Args:
        found: What was measured, with numbers.
        fix: What to change in the plugin.
    """

    def __init__(self, found: str, fix: str) -> None:
        super().__init__(f"{found}; fix: {fix}")
        self.found = found
        self.fix = fix


class InapplicableError(Exception):
    """The encoder or this machine lacks what the check is about."""


@dataclass(frozen=True, eq=False)
class Subject:
    """An encoder under test.

    Args:
        encoder: The encoder.
        reload: Loads it again; called with the keywords `device` and `dtype`.
        official: The checkpoint's own processor, if there is one to compare with.
    """

    encoder: Encoder
    reload: Callable[..., Encoder]
    official: Official | None = None

    @property
    def tolerance(self) -> float:
        """Largest relative difference that other kernels and summation orders make, as the load-time probe has it."""
        return BATCH_TOLERANCE[self.encoder.dtype]

    def again(self, dtype: torch.dtype | None = None, device: torch.device | str | None = None) -> Encoder:
        """Load the encoder again.

        Args:
            dtype: In another precision; None for the same.
            device: On another device; None for the same.

        Returns:
            A fresh encoder.
        """
        return self.reload(device=device or self.encoder.device, dtype=dtype or self.encoder.dtype)

    def noise(self, count: int, seed: int = 0) -> Tensor:
        """Draw images.

        Args:
            count: How many.
            seed: Of the noise.

        Returns:
            Pixels (count, 3, H, W) around 0.5, inside [0, 1], in the encoder's dtype on its device.
        """
        generator = torch.Generator().manual_seed(seed)
        draw = torch.randn((count, 3, *self.encoder.input_size), generator=generator, dtype=self.encoder.pixel_dtype)
        return (0.5 + 0.15 * draw).clamp(0, 1).to(self.encoder.device)

    def embed(self, pixels: Tensor) -> Tensor:
        """Embed without a graph.

        Args:
            pixels: (B, 3, H, W) in [0, 1].

        Returns:
            Embeddings (B, n).
        """
        with torch.no_grad():
            return self.encoder.embed(pixels)

    def agree(self, found: Tensor, expected: Tensor, what: str, fix: str, tolerance: float | None = None) -> None:
        """Compare embeddings.

        Args:
            found: One embedding or several.
            expected: The same in another way.
            what: The two ways, for the message.
            fix: What to change if they differ.
            tolerance: Largest relative difference; None for that of other summation orders.

        Raises:
            CheckError: If they differ by more, or are not finite.
        """
        limit = self.tolerance if tolerance is None else tolerance
        difference = relative(found.detach().cpu().double(), expected.detach().cpu().double())
        if not difference <= limit:  # NaN fails too
            raise CheckError(f"{what} differ by {difference:.2g} (relative; at most {limit:.2g} is rounding)", fix)
