"""How many images are put through a network together: by the free memory, and fewer where it runs out all the same."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.memory import free_bytes, give_back, graph_memory, is_out_of_memory

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)

CPU_BATCH = 8
"""Images together on a CPU: more gain nothing there and leave its caches."""
ACCELERATOR_BATCH = 64
SHARE = 0.5
"""Of the free memory that a batch may plan with: the solver's own vectors and the next batch's images need the rest."""
PIXEL_VECTORS = 40
"""Vectors of an image's size that a solver keeps for each image, at most: two memories of ten, and what it works on."""


@dataclass
class BatchSize:
    """How many are computed together; shrinks when the memory runs out and stays small.

    Args:
        now: The size; None to choose it from the free memory.
        neighbours: Processes that do the same with the same memory, this one among them.
    """

    now: int | None = None
    neighbours: int = 1

    def choose(self, device: torch.device, each: Callable[[], int | None]) -> int:
        """Settle the size, if it is not.

        Args:
            device: Where the batch will be.
            each: Finds the bytes that one of them takes, None if unknown; asked only where the size is open.

        Returns:
            The size.
        """
        if self.now is None:
            size, taken, free = largest(device), each(), free_bytes(device)
            if taken and free is not None:
                size = max(1, min(size, int(SHARE * free / self.neighbours / taken)))
            self.now = size
        return self.now

    def halve(self, tried: int, what: str = "items") -> str:
        """Go on with half of what did not fit, once the memory is given back.

        Args:
            tried: How many did not fit together, at least 2.
            what: What they are, in the plural.

        Returns:
            The line to say about it.
        """
        self.now = tried // 2
        give_back()
        return f"{tried} {what} together do not fit into the memory: going on with {self.now}."


def batch_size_of(given: int | BatchSize | None) -> BatchSize:
    """Read an argument.

    Args:
        given: A number, one that is shared and may shrink, or None for one to be chosen.

    Returns:
        The size.

    Raises:
        ValueError: If the number is below 1.
    """
    if isinstance(given, BatchSize):
        return given
    if given is not None and given < 1:
        raise ValueError(f"The batch size must be at least 1, or None to go by the free memory, got {given}.")
    return BatchSize(given)


def largest(device: torch.device) -> int:
    """The most that are put together where nobody says how many."""
    return CPU_BATCH if device.type == "cpu" else ACCELERATOR_BATCH


def image_bytes(embed: Embed, pixels: Tensor) -> int:
    """Measure what one more image takes in a batch that is matched; one that is only embedded takes less.

    Args:
        embed: The map.
        pixels: An image on its device, (3, H, W).

    Returns:
        Bytes: what its graph keeps, and a solver's vectors. Cost: 3 forwards.

    Raises:
        Exception: What the map raises.
    """
    sizes = []
    for count in (1, 2):
        with graph_memory() as memory:
            embed(pixels[None].repeat(count, 1, 1, 1).requires_grad_())
        sizes.append(memory.bytes)
    return sizes[1] - sizes[0] + PIXEL_VECTORS * pixels.nbytes


def settle(size: BatchSize, embed: Embed, pixels: Tensor) -> int:
    """Settle how many images like one are put through a map together; see `BatchSize.choose`.

    Args:
        size: The size.
        embed: The map.
        pixels: An image on its device, (3, H, W).

    Returns:
        The size. Cost: 3 forwards if it was open.
    """
    return size.choose(pixels.device, lambda: known_or_none(lambda: image_bytes(embed, pixels)))


def settle_for(size: BatchSize, encoder: Encoder) -> int:
    """Settle how many images an encoder is given together; see `settle`.

    Args:
        size: The size.
        encoder: The encoder.

    Returns:
        The size. Cost: 3 forwards if it was open.
    """
    blank = torch.zeros(3, *encoder.input_size, dtype=encoder.pixel_dtype, device=encoder.device)
    return settle(size, encoder.embed, blank)


def known_or_none(measure: Callable[[], int]) -> int | None:
    """Measure, or leave it open where that fails: what fails here fails again, with its reason, when it is computed."""
    try:
        return measure()
    except Exception:
        return None


def in_batches(
    compute: Callable[[Sequence[T]], R], items: Sequence[T], size: int | BatchSize | None, what: str = "images"
) -> list[R]:
    """Compute items some at a time; where those do not fit into the memory, half as many from then on.

    Args:
        compute: From some items to their common result.
        items: All of them.
        size: How many to begin with; one that is shared stays halved. Halving is logged as a warning.
        what: What the items are, in the plural, for that warning.

    Returns:
        The results, in order.

    Raises:
        Exception: What `compute` raises, out of memory too if it is for one item.
    """
    size = batch_size_of(size)
    results: list[R] = []
    begin = 0
    while begin < len(items):
        part = items[begin : begin + (size.now or CPU_BATCH)]
        try:
            results.append(compute(part))
        except Exception as error:
            if len(part) == 1 or not is_out_of_memory(error):
                raise
        else:
            begin += len(part)
            continue
        # Out of the handler, for the error's traceback holds the tensors.
        logger.warning(size.halve(len(part), what))
    return results
