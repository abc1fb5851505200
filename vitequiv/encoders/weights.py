"""The weights in use: their digest, the same whatever file format they came in, and where they lie in memory."""

from __future__ import annotations

import hashlib
from itertools import chain

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


ALIGNMENT = 64
"""Bytes; where PyTorch's own CPU allocator puts tensors, and Ray's store the arrays that it maps."""


def align(module: nn.Module) -> None:
    """Move tensors of a module that lie at odd places in memory, as those mapped from a file may, to where any copy is.

    Products sum in another order at such places, so that an encoder and its copy would differ in the last bits.

    Args:
        module: Any module on the CPU; changed in place.
    """
    for tensor in chain(module.parameters(), module.buffers()):
        if tensor.data_ptr() % ALIGNMENT:
            tensor.data = tensor.data.clone()
