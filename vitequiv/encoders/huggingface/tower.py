"""The modules that turn a transformers model into one plain function of pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from vitequiv.encoders.families import Readout


class HuggingFaceTower(nn.Module):
    """Normalised images to one vector each.

    Args:
        encoder: A transformers model that takes `pixel_values`.
        readout: Which vector to return.
        prefix_tokens: Tokens before the patch tokens.
        norm: A last layer norm to apply to the tokens, if the encoder does not.
        inputs: Further arguments of the forward pass for a batch of pixels.
    """

    def __init__(
        self,
        encoder: nn.Module,
        readout: Readout,
        prefix_tokens: int,
        norm: nn.Module | None = None,
        inputs: Callable[[Tensor], dict[str, Tensor]] | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.readout = readout
        self.prefix_tokens = prefix_tokens
        self.norm = norm
        self.inputs = inputs

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, n)
        """Read the embedding out of the encoder's output.

        Args:
            pixels: Normalised images (B, 3, H, W).

        Returns:
            Embeddings (B, n).
        """
        output = self.encoder(pixel_values=pixels, **(self.inputs(pixels) if self.inputs else {}))
        if self.readout is Readout.PROJECTION:
            projected: Tensor = output.image_embeds
            return projected
        if self.readout is Readout.POOLER:
            pooled: Tensor = output.pooler_output
            return pooled.flatten(1)  # convolutional models pool to (B, C, 1, 1)
        tokens: Tensor = output.last_hidden_state
        if tokens.ndim == 4:  # a feature map (B, C, h, w), which has no tokens but can be averaged
            return tokens.mean((2, 3))
        if self.norm is not None:
            tokens = self.norm(tokens)
        return tokens[:, 0] if self.readout is Readout.CLS else tokens[:, self.prefix_tokens :].mean(1)


class ImageFeatures(nn.Module):
    """The image half of a two-tower model, by its `get_image_features`.

    Args:
        model: The two-tower model.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, n)
        """Embed normalised images.

        Args:
            pixels: Normalised images (B, 3, H, W).

        Returns:
            Embeddings (B, n) in the space shared with text, not normalised.
        """
        output = self.model.get_image_features(pixel_values=pixels)
        features: Tensor = output if isinstance(output, torch.Tensor) else output.pooler_output
        return features


class Logits(nn.Module):
    """A transformers classifier as a function of pixels.

    Args:
        model: The classifier.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, C)
        """Classify normalised images.

        Args:
            pixels: Normalised images (B, 3, H, W).

        Returns:
            Logits (B, C).
        """
        logits: Tensor = self.model(pixel_values=pixels).logits
        return logits
