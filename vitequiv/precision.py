"""The precision that sums and decompositions are taken in."""

from __future__ import annotations

import torch
from torch import Tensor


def wide_dtype(device: torch.device) -> torch.dtype:
    """The widest floating-point type of a device.

    Args:
        device: Any torch device.

    Returns:
        float64; float32 on MPS, which has no float64.
    """
    return torch.float32 if device.type == "mps" else torch.float64


def wide(tensor: Tensor) -> Tensor:
    """Convert to `wide_dtype`, so that sums over 150,528 pixels lose nothing that matters.

    Args:
        tensor: Any shape, floating point.

    Returns:
        The same values on the same device.
    """
    return tensor.to(wide_dtype(tensor.device))


def in_float64(tensor: Tensor) -> Tensor:
    """Convert to float64, for decompositions that need it whatever the device.

    Args:
        tensor: Any shape, floating point.

    Returns:
        The same values, on the same device; on the CPU for MPS, which has no float64.
    """
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
