"""Where the network runs."""

from __future__ import annotations

import torch

from vitequiv.errors import UsageError


def resolve_device(name: str | torch.device) -> torch.device:
    """Turn a device's name into a device that is there.

    Args:
        name: `auto` (cuda, else mps, else cpu), `cpu`, `cuda`, `cuda:I`, `mps`, or a torch device.

    Returns:
        The device.

    Raises:
        UsageError: If the name is none of these, or this machine has no such device.

    On CUDA, convolutions and products are set to true float32 for the whole process: TensorFloat-32, PyTorch's default
    for convolutions, has 10 bits, less than anything here is measured to.
    """
    if str(name) == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UsageError(f"There is no device {str(name)!r}: choose auto, cpu, cuda, cuda:0 or mps.") from None
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}
    if device.type not in count:
        raise UsageError(f"The device {str(name)!r} is not supported: choose auto, cpu, cuda, cuda:0 or mps.")
    if (device.index or 0) >= count[device.type]:
        raise UsageError(f"This machine has no device {str(name)!r}: use --device cpu or --device auto.")
    if device.type == "cuda":
        _exact_float32()
    return device


def _exact_float32() -> None:
    if hasattr(torch.backends.cudnn, "conv"):  # PyTorch 2.9 and later, where the older switches warn
        torch.backends.cudnn.conv.fp32_precision = "ieee"
        torch.backends.cuda.matmul.fp32_precision = "ieee"
    else:
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
