"""Attention that can be differentiated twice and forwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel


@contextmanager
def plain_attention() -> Iterator[None]:
    """Compute attention by plain products while a graph is built.

    The fused kernels have a backward pass but neither a second one nor forward mode. Only the forward pass needs to run
    inside; the choice holds for the whole process until the block ends.

    Yields:
        Nothing.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
