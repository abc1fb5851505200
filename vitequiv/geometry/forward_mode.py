"""Products with Jacobians in forward mode, a batch of points at a time."""

from __future__ import annotations

import warnings

import torch
from torch import Tensor

from vitequiv.geometry.attention import plain_attention
from vitequiv.maps import Embed


def forward_mode(embed: Embed, pixels: Tensor, tangents: Tensor) -> Tensor:
    """Compute J(x) v for each image and its own direction.

    Args:
        embed: The map, each row a function of its own image alone.
        pixels: x, (B, 3, H, W).
        tangents: v, the same shape and dtype.

    Returns:
        (B, n), detached. Cost: 2 passes an image, since the forward is done again.

    Raises:
        RuntimeError: If a layer has no forward mode.
        NotImplementedError: Likewise, for some layers.
    """
    with plain_attention(), warnings.catch_warnings():
        # torch compiles its own forward-mode formulas by torch.jit on first use, and warns that this is old.
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit.script", category=DeprecationWarning)
        product: Tensor = torch.func.jvp(embed, (pixels.detach(),), (tangents,))[1]
    return product.detach()
