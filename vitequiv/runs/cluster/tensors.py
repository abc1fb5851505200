"""Tensors on the wire, as NumPy arrays, whose bytes Ray keeps by themselves and maps where they are read.

Weights are used where they are mapped, by all workers of a machine. All else is copied on arrival, for a program may
write to it, and what Ray maps cannot be written to: the attempt ends the process.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np

_mapped: ContextVar[bool] = ContextVar("mapped", default=False)


@dataclass(frozen=True, eq=False)
class Wire:
    """A tensor on the wire.

    Args:
        array: Its values; of a dtype that NumPy lacks, their bits.
        dtype: Its dtype.
        parameter: Whether it is a module's parameter.
        mapped: Whether it is used where it arrives, not to be written to.
    """

    array: np.ndarray
    dtype: torch.dtype
    parameter: bool
    mapped: bool


@contextmanager
def mapped() -> Iterator[None]:
    """Send the tensors of this block to be used where they arrive.

    Yields:
        Nothing.
    """
    token = _mapped.set(True)
    try:
        yield
    finally:
        _mapped.reset(token)


def to_wire(tensor: Tensor) -> Wire:
    """Make a tensor ready to be sent.

    Args:
        tensor: Any tensor or parameter, on any device; its graph, if it has one, is left behind.

    Returns:
        The tensor, contiguous.
    """
    values = tensor.detach().cpu().contiguous()
    bits = values.view(torch.int16) if values.dtype == torch.bfloat16 else values
    return Wire(bits.numpy(), values.dtype, isinstance(tensor, nn.Parameter), _mapped.get())


def from_wire(wire: Wire) -> Tensor:
    """Make a tensor of what arrived.

    Args:
        wire: What `to_wire` made.

    Returns:
        The same values on the CPU; a parameter needs no gradient.
    """
    array = wire.array if wire.mapped or wire.array.flags.writeable else wire.array.copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writ", UserWarning)
        values = torch.from_numpy(array)
    values = values.view(wire.dtype) if values.dtype != wire.dtype else values
    return nn.Parameter(values, requires_grad=False) if wire.parameter else values


def register() -> None:
    """Have Ray send this process's tensors so; what they become is known to whoever receives them."""
    from ray.util import register_serializer

    for kind in (Tensor, nn.Parameter):
        register_serializer(kind, serializer=to_wire, deserializer=from_wire)
