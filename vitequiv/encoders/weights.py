"""A digest of the weights in use, the same whatever file format they came in."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def digest(module: nn.Module) -> str:
    """Hash the tensors of a module.

    Args:
        module: Any module.

    Returns:
        SHA-256, as 64 hexadecimal digits, over name, dtype, shape and bytes of each entry of its state dict, by name.
    """
    sha = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        tensor = tensor.detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.flatten().view(torch.uint8).numpy().data)
    return sha.hexdigest()
