"""How much memory was used at most."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def peak_memory_mb(device: torch.device) -> float:
    """Measure the peak so far.

    Args:
        device: The torch device in use.

    Returns:
        MiB: the most PyTorch held on a CUDA device, else the most this process has had resident (0 where the operating
        system does not tell).
    """
    if device.type == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20
    try:
        import resource
    except ImportError:  # Windows has no such module
        return 0.0
    kilo = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * kilo / 2**20
