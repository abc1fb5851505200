"""Masked siamese matching, as ViTMSN is trained (Assran et al. 2022, arXiv 2204.07141)."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitequiv.tiny.zoo.views import random_poses, view

if TYPE_CHECKING:
    from vitequiv.tiny.zoo.architectures import Architecture
    from vitequiv.tiny.zoo.bank import Bank, Draw

PROTOTYPES = 128
PROJECTION = 64
HIDDEN_SHARE = 0.3
"""Share of an anchor's patches that the encoder does not see."""
TEMPERATURE = 0.1
TARGET_TEMPERATURE = 0.025
ENTROPY_WEIGHT = 1.0
FIRST_MOMENTUM = 0.99
"""Of the target encoder; it rises to 1 over the run along half a cosine."""


class _Anchor(nn.Module):
    """The encoder, the projection and the prototypes; the last two are dropped after training."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        width = encoder.config.hidden_size
        self.encoder = encoder
        self.projection = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, PROJECTION))
        # A plain parameter, not a linear layer: Muon is not for it.
        self.prototypes = nn.Parameter(torch.randn(PROTOTYPES, PROJECTION))

    def forward(self, pixels: Tensor, kept: Tensor | None = None) -> Tensor:
        """Return (B, PROJECTION) unit vectors; `kept` (B, K) are the patches that are seen, all if None."""
        tokens = self.encoder.embeddings(pixels)
        if kept is not None:
            patches = tokens[:, 1:].gather(1, kept[:, :, None].expand(-1, -1, tokens.shape[2]))
            tokens = torch.cat([tokens[:, :1], patches], dim=1)
        for layer in self.encoder.layers:
            tokens = layer(tokens, None)
        return F.normalize(self.projection(self.encoder.layernorm(tokens[:, :1])[:, 0]).float(), dim=1)


class MaskedSiamese:
    """A masked view is to fall among the prototypes where a whole view of the same scene falls.

    The loss is equation 1 of the paper: the cross-entropy from the target's sharpened assignment to the anchor's, less
    the entropy of the mean assignment, which keeps all from falling on one prototype. The target encoder follows the
    trained one as a moving average.

    Args:
        architecture: The architecture; its model is the bare encoder.
    """

    def __init__(self, architecture: Architecture, _: Bank) -> None:
        self._normalise = architecture.normalise
        self.model: Any = architecture.build()
        self._anchor = _Anchor(self.model)
        self.trained: nn.Module = self._anchor
        self._target = copy.deepcopy(self._anchor).requires_grad_(False)
        self._random = torch.Generator().manual_seed(torch.initial_seed())

    def loss(self, scenes: Draw) -> Tensor:
        """Measure a batch.

        Args:
            scenes: The scenes of the step; their labels are not looked at.

        Returns:
            The loss in nats.
        """
        anchors, whole = (self._view(scenes, poses) for poses in random_poses(len(scenes.labels), self._random))
        prototypes = F.normalize(self._anchor.prototypes, dim=1)
        with torch.no_grad():
            target = balanced(_similarity(self._target(whole), prototypes) / TARGET_TEMPERATURE)
        patches = self.model.embeddings.patch_embeddings.num_patches
        order = torch.rand(len(anchors), patches, generator=self._random).argsort(dim=1)
        kept = order[:, : patches - int(HIDDEN_SHARE * patches)]
        return masked_siamese_loss(_similarity(self._anchor(anchors, kept), prototypes) / TEMPERATURE, target)

    def after_step(self, progress: float) -> None:
        """Let the target follow.

        Args:
            progress: The share of the run that is done, in (0, 1].
        """
        momentum = 1 - (1 - FIRST_MOMENTUM) * (1 + math.cos(math.pi * progress)) / 2
        with torch.no_grad():
            for slow, fast in zip(self._target.parameters(), self.trained.parameters(), strict=True):
                slow.lerp_(fast, 1 - momentum)

    def _view(self, scenes: Draw, poses: Tensor) -> Tensor:
        coverage = scenes.coverage[:, None].float() / 255
        return self._normalise(view(scenes.images.float(), coverage, poses, len(coverage) // 2, self._random))


def _similarity(vectors: Tensor, prototypes: Tensor) -> Tensor:
    """Return cosines in float32: the temperatures would blow up the rounding of bfloat16."""
    with torch.autocast("cpu", enabled=False):
        return vectors.float() @ prototypes.float().T


def balanced(logits: Tensor, rounds: int = 3) -> Tensor:
    """Turn target logits into assignments that use all prototypes alike (Sinkhorn, as the paper's code).

    Args:
        logits: (B, K).
        rounds: Alternations.

    Returns:
        (B, K), rows sum to 1.
    """
    assignment = torch.softmax(logits.flatten(), dim=0).view_as(logits)
    for _ in range(rounds):
        assignment = assignment / assignment.sum(dim=0, keepdim=True) / assignment.shape[1]
        assignment = assignment / assignment.sum(dim=1, keepdim=True) / assignment.shape[0]
    return assignment * assignment.shape[0]


def masked_siamese_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Equation 1 of the paper.

    Args:
        logits: (B, K) of the anchors.
        target: (B, K), rows sum to 1.

    Returns:
        A scalar in nats: cross-entropy less the entropy of the mean assignment, at least `-log K`.
    """
    matching = F.cross_entropy(logits, target)
    mean = torch.softmax(logits, dim=1).mean(dim=0)
    entropy: Tensor = torch.special.entr(mean).sum()
    return matching - ENTROPY_WEIGHT * entropy
