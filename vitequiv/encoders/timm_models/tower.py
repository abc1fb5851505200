"""The module that reads an embedding out of a timm model."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from vitequiv.encoders.families import Readout


class TimmTower(nn.Module):
    """Normalised images to one vector each.

    Args:
        model: The timm model, with or without its classifier.
        readout: Which vector to return.
    """

    def __init__(self, model: Any, readout: Readout) -> None:
        super().__init__()
        self.model = model
        self.readout = readout

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, n)
        """Read the embedding out of the features.

        Args:
            pixels: Normalised images (B, 3, H, W).

        Returns:
            Embeddings (B, n).
        """
        features: Tensor = self.model.forward_features(pixels)
        if self.readout is Readout.POOLER:
            pooled: Tensor = self.model.forward_head(features, pre_logits=True)
            return pooled.flatten(1)
        if features.ndim == 4:
            channels_last = getattr(self.model, "output_fmt", "NCHW") == "NHWC"
            return features.mean((1, 2) if channels_last else (2, 3))
        if self.readout is Readout.CLS:
            return features[:, 0]
        return features[:, getattr(self.model, "num_prefix_tokens", 0) :].mean(1)
