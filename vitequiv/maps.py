"""The one thing that matching, geometry and paths know of an encoder: a function."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Embed = Callable[[Tensor], Tensor]
"""Pixels (B, 3, H, W) to embeddings (B, n), differentiable, each row a function of its own image alone."""
