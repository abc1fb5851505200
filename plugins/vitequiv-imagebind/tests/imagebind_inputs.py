"""What both the original and ours are shown: the same pixels and texts, made without a random generator."""

from __future__ import annotations

import torch
from torch import Tensor

SIZE = 224
TEXTS = (
    "a photo of a cat",
    "A  photo of\n a DOG &amp; a café, isn't it?",
    "",
    " ".join(["a very long sentence that has to be cut"] * 12),
)
"""Upper case, entities, accents, white space, nothing at all, and more than 77 tokens."""


def levels() -> Tensor:
    """Two images (2, 3, 224, 224) of 8-bit levels: one rough, one smooth."""
    y, x, c = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), torch.arange(3), indexing="ij")
    rough = (7 * x + 13 * y + 101 * c + (x * y) % 251) % 256
    smooth = (x * (c + 1) // 3 + y // 2) % 256
    return torch.stack([rough, smooth]).permute(0, 3, 1, 2).contiguous()


def normalised() -> Tensor:
    """The same after CLIP's mean and standard deviation, float32."""
    mean = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(3, 1, 1)
    std = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(3, 1, 1)
    return (levels().float() / 255 - mean) / std
