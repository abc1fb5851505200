"""The embedding at a batch of points, with its graph, so that solvers can pull cotangents back."""

from __future__ import annotations

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.objective import Chart, as_it_is


class Linearisation:
    """f and J^T at a batch of points. Cost: one forward an image, on creation.

    Args:
        embed: The map from pixels to embeddings.
        pixels: The points, (B, 3, H, W).
        chart: From embeddings to what the loss compares; J is the Jacobian of both together.

    Attributes:
        pixels: The points, detached.
        raw: What `embed` gives, (B, n), detached.
        embedding: f(x), (B, n), detached: its chart, which is all that a solver has to know.
        vjps: Products asked for so far, an image.
    """

    def __init__(self, embed: Embed, pixels: Tensor, chart: Chart = as_it_is) -> None:
        self.pixels = pixels.detach()
        self._leaf = self.pixels.clone().requires_grad_()
        raw = embed(self._leaf)
        self.raw = raw.detach()
        self._graph = chart(raw)
        self.embedding = self._graph.detach()
        self.vjps = 0

    def pullback(self, cotangent: Tensor) -> Tensor:
        """J^T applied to a cotangent an image. Cost: one vjp an image.

        Args:
            cotangent: (B, n).

        Returns:
            (B, 3, H, W). Can be called more than once.
        """
        self.vjps += 1
        (product,) = torch.autograd.grad(self._graph, self._leaf, cotangent.to(self._graph.dtype), retain_graph=True)
        return product
