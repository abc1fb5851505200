"""A small problem on which what plugins register is tried: a smooth map of 8 x 8 images, the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from vitequiv.testing.subject import CheckError

SHAPE = (3, 8, 8)
WIDTH, DIM = 24, 6


def images(count: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Draw images (count, 3, 8, 8) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((count, *SHAPE), generator=generator, dtype=torch.float64).to(dtype)


def embed(pixels: Tensor) -> Tensor:
    """Two layers with a smooth nonlinearity between, (B, 3, 8, 8) to (B, 6)."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randn((WIDTH, 3 * 64), generator=generator, dtype=torch.float64).to(pixels) / 8
    second = torch.randn((DIM, WIDTH), generator=generator, dtype=torch.float64).to(pixels) / 2
    return torch.tanh((pixels - 0.5).flatten(1) @ first.T) @ second.T + 0.5


@contextmanager
def untouched(fix: str, **tensors: Tensor) -> Iterator[None]:
    """See that tensors are what they were.

    Args:
        fix: What to change if they are not.
        tensors: By name.

    Yields:
        Nothing.

    Raises:
        CheckError: If one was changed in place.
    """
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    yield
    for name, tensor in tensors.items():
        if not torch.equal(tensor, before[name]):
            raise CheckError(f"{name} was changed in place", fix)


def twice(make: Callable[[], Tensor], what: str) -> Tensor:
    """Make a tensor twice, between other uses of torch's own random numbers.

    Args:
        make: Makes it.
        what: What it is, for the message.

    Returns:
        The tensor.

    Raises:
        CheckError: If the two are not the same, or torch's own generator was drawn from.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        first = make()
        torch.manual_seed(2)
        before = torch.random.get_rng_state()
        second = make()
        drawn = not torch.equal(before, torch.random.get_rng_state())
    if first.shape != second.shape or not torch.equal(first, second):
        raise CheckError(f"the same call gave two different {what}", "draw nothing but from the generator given")
    if drawn:
        raise CheckError("torch's global random numbers were drawn from", "draw nothing but from the generator given")
    return first
