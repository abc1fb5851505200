"""How much memory there is, how much a graph takes, and whether it ran out."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

WORDS = ("defaultcpuallocator", "out of memory", "not enough memory", "bad_alloc", "_alloc_failed")
"""What the CPU's allocator, MPS, C++ and the CUDA libraries say where memory runs out, in small letters."""


@dataclass
class GraphMemory:
    """Bytes of the tensors that graphs recorded in `graph_memory` keep, each storage counted once."""

    storages: dict[int, int] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """All of them together."""
        return sum(self.storages.values())


@contextmanager
def graph_memory() -> Iterator[GraphMemory]:
    """Measure what the forward passes inside keep for their backward: activations, and the weights they were made with.

    The same on every run, unlike the resident memory of the process, which depends on the machine.

    Yields:
        The memory, complete when the block ends.
    """
    memory = GraphMemory()

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        memory.storages[storage.data_ptr()] = storage.nbytes()
        # Not the tensor itself: a node that saves its own output would keep itself, and the whole graph, for ever.
        return tensor.detach()

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield memory


def peak_memory_mb(device: torch.device, graph_bytes: int) -> float:
    """State the memory of an item's batch.

    Args:
        device: The torch device in use.
        graph_bytes: What the batch's graph keeps, from `graph_memory`.

    Returns:
        MiB: on CUDA the most that PyTorch has allocated so far, elsewhere `graph_bytes`.
    """
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else graph_bytes
    return peak / 2**20


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had.

    Args:
        device: The torch device.

    Returns:
        Bytes, or None where the system does not tell.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None


def allocated_bytes(device: torch.device) -> int | None:
    """Memory that tensors on an accelerator take now.

    Args:
        device: The torch device.

    Returns:
        Bytes, or None where PyTorch does not keep count, as on the CPU.
    """
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    if device.type == "mps":
        return int(torch.mps.current_allocated_memory())
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on any device.

    Args:
        error: Any exception.

    Returns:
        The answer.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # Not every allocator has a class of its own.
    said = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in said for words in WORDS)


def give_back() -> None:
    """Free what nobody needs any more, on the accelerator too."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def all_finite(tensor: Tensor) -> bool:
    """Whether nothing is NaN or infinite, found without a copy (`isfinite` makes two temporary ones of its argument).

    Args:
        tensor: Any shape, floating point.

    Returns:
        The answer; true for an empty tensor.
    """
    return not tensor.numel() or all(math.isfinite(float(extreme)) for extreme in tensor.aminmax())
