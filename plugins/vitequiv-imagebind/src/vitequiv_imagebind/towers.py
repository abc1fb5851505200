"""ImageBind's towers, built from transformers' classes for CLIP."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitequiv.errors import ModelError
from vitequiv_imagebind.heads import Heads
from vitequiv_imagebind.keys import Converted, Tower

EPSILON = 1e-6
ACTIVATION = "gelu"
END_OF_TEXT = 49407
"""The highest token, which ImageBind finds by argmax."""


class ImageTower(nn.Module):
    """Normalised images to their embeddings.

    Args:
        model: The network up to the projection.
        unit: Whether to divide the projection by its length.
    """

    def __init__(self, model: nn.Module, unit: bool) -> None:
        super().__init__()
        self.model = model
        self.unit = unit

    def forward(self, pixels: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, n)
        """Embed images.

        Args:
            pixels: Normalised images (B, 3, H, W).

        Returns:
            Embeddings (B, n).
        """
        return _finish(self.model(pixel_values=pixels).image_embeds, self.unit)


class WordTower(nn.Module):
    """Tokens to the embeddings of their texts, without the factor on the cosine.

    Args:
        model: The network up to the projection.
        unit: Whether to divide the projection by its length.
    """

    def __init__(self, model: nn.Module, unit: bool) -> None:
        super().__init__()
        self.model = model
        self.unit = unit

    def forward(self, tokens: Tensor) -> Tensor:  # (N, T) -> (N, n)
        """Embed texts.

        Args:
            tokens: (N, T) of whole numbers.

        Returns:
            Embeddings (N, n).
        """
        return _finish(self.model(input_ids=tokens).text_embeds, self.unit)


def _finish(projection: Tensor, unit: bool) -> Tensor:
    # Out of autocast first: in bfloat16 a unit vector's length is off by a percent.
    wide = projection.float() if projection.dtype == torch.bfloat16 else projection
    return F.normalize(wide, dim=-1) if unit else wide


def build_image_model(parts: Converted, heads: Heads, spec: str) -> nn.Module:
    """Build the image tower up to its projection.

    Args:
        parts: The checkpoint.
        heads: The number of attention heads.
        spec: The encoder spec, for messages.

    Returns:
        A `CLIPVisionModelWithProjection` whose parameters are the checkpoint's tensors, not copies.
    """
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        **_shared(parts, parts.vision, heads.vision), patch_size=parts.patch, image_size=parts.image_size
    )
    positions = (parts.image_size // parts.patch) ** 2 + 1
    return _build(CLIPVisionModelWithProjection, config, parts.vision, positions, spec)


def build_text_model(parts: Converted, heads: Heads, spec: str) -> nn.Module:
    """Build the text tower up to its projection.

    Args:
        parts: The checkpoint.
        heads: The number of attention heads.
        spec: The encoder spec, for messages.

    Returns:
        A `CLIPTextModelWithProjection` whose parameters are the checkpoint's tensors, not copies.
    """
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        **_shared(parts, parts.text, heads.text),
        vocab_size=parts.vocabulary,
        max_position_embeddings=parts.context,
        eos_token_id=END_OF_TEXT,
    )
    return _build(CLIPTextModelWithProjection, config, parts.text, parts.context, spec)


def _shared(parts: Converted, tower: Tower, heads: int) -> dict[str, Any]:
    return {
        "hidden_size": tower.width,
        "intermediate_size": tower.hidden,
        "num_hidden_layers": tower.layers,
        "num_attention_heads": heads,
        "projection_dim": parts.embedding_dim,
        "hidden_act": ACTIVATION,
        "layer_norm_eps": EPSILON,
    }


def _build(model_class: Any, config: Any, tower: Tower, positions: int, spec: str) -> nn.Module:
    with torch.device("meta"):  # no memory and no random numbers for what is replaced at once
        model: nn.Module = model_class._from_config(config, attn_implementation="sdpa")
    model.load_state_dict(tower.state, strict=True, assign=True)
    for module in model.modules():
        if "position_ids" in module._buffers:  # not in any state dict
            module.register_buffer("position_ids", torch.arange(positions)[None], persistent=False)
    if any(buffer.is_meta for buffer in model.buffers()):
        raise ModelError(f"This version of transformers builds another model for {spec}: report it to vitequiv.")
    return model
