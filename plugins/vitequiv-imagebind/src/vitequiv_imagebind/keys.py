"""ImageBind's state dict under transformers' names for CLIP: every key renamed, or known to be another modality's.

The vision trunk sees an image as two equal frames, so its three-dimensional patch kernel acts as its sum over time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

import torch
from torch import Tensor

from vitequiv.errors import ModelError

IGNORED = re.compile(r"modality_(preprocessors|trunks|heads|postprocessors)\.(audio|depth|thermal|imu)\.")
"""The modalities that vitequiv has no use for."""

FRAMES = 2
"""What `PadIm2Video` makes of an image."""

_BLOCK = re.compile(r"modality_trunks\.(vision|text)\.blocks\.(\d+)\.")
_HALVES = ("weight", "bias")


@dataclass(frozen=True)
class Tower:
    """One tower under transformers' names.

    Args:
        state: Its state dict, float32.
        width: Width of the tokens.
        layers: Number of blocks.
        hidden: Width inside the MLPs.
    """

    state: dict[str, Tensor]
    width: int
    layers: int
    hidden: int


@dataclass(frozen=True)
class Converted:
    """A checkpoint taken apart.

    Args:
        vision: The image tower.
        text: The text tower.
        patch: Side of a patch in pixels.
        image_size: Side of the image in pixels.
        embedding_dim: Dimension of the common space.
        vocabulary: Number of tokens.
        context: Tokens in a text.
        logit_scale: Factor on the cosine.
    """

    vision: Tower
    text: Tower
    patch: int
    image_size: int
    embedding_dim: int
    vocabulary: int
    context: int
    logit_scale: Tensor


class _Taking:
    """A state dict from which each tensor is taken once."""

    def __init__(self, state: Mapping[str, Tensor], spec: str) -> None:
        self._left = dict(state)
        self._spec = spec

    def __call__(self, name: str, *shape: int | None) -> Tensor:
        """Take a tensor, which must have that shape (None: any)."""
        if name not in self._left:
            raise ModelError(f"The checkpoint {self._spec} has no {name}: it is not ImageBind's, or not whole.")
        tensor = self._left.pop(name)
        fits = len(shape) == tensor.ndim and all(w in {None, s} for w, s in zip(shape, tensor.shape, strict=True))
        if not fits:
            wanted = ", ".join("any" if size is None else str(size) for size in shape)
            raise ModelError(
                f"In the checkpoint {self._spec} {name} has shape {tuple(tensor.shape)}, expected ({wanted}): "
                "it is not ImageBind's."
            )
        return tensor.float()

    def layers(self, tower: str) -> int:
        """Count a tower's blocks by the highest number."""
        found = [match for match in map(_BLOCK.match, self._left) if match and match[1] == tower]
        return max((int(match[2]) + 1 for match in found), default=0)

    def finish(self) -> None:
        """Refuse whatever is left."""
        if self._left:
            raise ModelError(
                f"The checkpoint {self._spec} has {len(self._left)} tensors that ImageBind has not, among them "
                f"{min(self._left)}: it would be another model without them."
            )


def convert(state: Mapping[str, Tensor], spec: str) -> Converted:
    """Rename a checkpoint's tensors.

    Args:
        state: The tensors by ImageBind's names, without those that match `IGNORED`.
        spec: The encoder spec, for messages.

    Returns:
        Both towers.

    Raises:
        ModelError: If a tensor is missing, has another shape, or is none of ImageBind's.
    """
    take = _Taking(state, spec)
    kernel = take("modality_preprocessors.vision.rgbt_stem.proj.1.weight", None, 3, FRAMES, None, None)
    width, patch = kernel.shape[0], kernel.shape[-1]
    positions = take("modality_preprocessors.vision.pos_embedding_helper.pos_embed", 1, None, width)[0]
    grid = isqrt(len(positions) - 1)
    if kernel.shape[-2] != patch or grid**2 != len(positions) - 1:
        raise ModelError(f"The checkpoint {spec} has no square grid of square patches: it is not ImageBind's.")
    projection = take("modality_heads.vision.2.weight", None, width)
    vision = {
        "vision_model.embeddings.class_embedding": take("modality_preprocessors.vision.cls_token", 1, 1, width)[0, 0],
        "vision_model.embeddings.patch_embedding.weight": kernel.sum(2),
        "vision_model.embeddings.position_embedding.weight": positions,
        "visual_projection.weight": projection,
    }
    for half in _HALVES:
        vision[f"vision_model.pre_layrnorm.{half}"] = take(
            f"modality_trunks.vision.pre_transformer_layer.0.{half}", width
        )
        vision[f"vision_model.post_layernorm.{half}"] = take(f"modality_heads.vision.0.{half}", width)
    vision_tower = _trunk(take, vision, "vision", width)

    tokens = take("modality_preprocessors.text.token_embedding.weight", None, None)
    text_width = tokens.shape[1]
    places = take("modality_preprocessors.text.pos_embed", 1, None, text_width)[0]
    mask = take("modality_preprocessors.text.mask", len(places), len(places))
    if not torch.equal(mask, torch.full_like(mask, -torch.inf).triu(1)):
        raise ModelError(f"The text tower of {spec} has no causal mask: it is not ImageBind's.")
    text = {
        "text_model.embeddings.token_embedding.weight": tokens,
        "text_model.embeddings.position_embedding.weight": places,
        "text_projection.weight": take("modality_heads.text.proj.1.weight", len(projection), text_width),
    }
    for half in _HALVES:
        text[f"text_model.final_layer_norm.{half}"] = take(f"modality_heads.text.proj.0.{half}", text_width)
    text_tower = _trunk(take, text, "text", text_width)
    scale = take("modality_postprocessors.text.1.log_logit_scale")
    take.finish()
    return Converted(
        vision=vision_tower,
        text=text_tower,
        patch=patch,
        image_size=patch * grid,
        embedding_dim=len(projection),
        vocabulary=len(tokens),
        context=len(places),
        logit_scale=scale.exp().clamp(max=100),  # as `LearnableLogitScaling` does
    )


def _trunk(take: _Taking, state: dict[str, Tensor], tower: str, width: int) -> Tower:
    """Take a tower's blocks into `state`."""
    layers, hidden = take.layers(tower), 0
    for layer in range(layers):
        theirs, ours = f"modality_trunks.{tower}.blocks.{layer}.", f"{tower}_model.encoder.layers.{layer}."
        for half, *inputs in (("weight", width), ("bias",)):
            joined = take(f"{theirs}attn.in_proj_{half}", 3 * width, *inputs)
            for name, part in zip("qkv", joined.chunk(3), strict=True):
                state[f"{ours}self_attn.{name}_proj.{half}"] = part
            state[f"{ours}self_attn.out_proj.{half}"] = take(f"{theirs}attn.out_proj.{half}", width, *inputs)
            first = take(f"{theirs}mlp.fc1.{half}", None, *inputs)
            hidden = len(first)
            state[f"{ours}mlp.fc1.{half}"] = first
            inner = [hidden] if inputs else []
            state[f"{ours}mlp.fc2.{half}"] = take(f"{theirs}mlp.fc2.{half}", width, *inner)
            for number in (1, 2):
                state[f"{ours}layer_norm{number}.{half}"] = take(f"{theirs}norm_{number}.{half}", width)
    return Tower(state, width, layers, hidden)
