"""What is finite, and what a graph keeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from vitequiv import load_encoder
from vitequiv.memory import all_finite, graph_memory, is_out_of_memory


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_one_entry_that_is_not_finite_is_seen(bad, dtype):
    values = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert all_finite(values)
    values[3, 2] = bad
    assert not all_finite(values)


def test_nothing_is_finite():
    assert all_finite(torch.empty(0, 3))


@pytest.mark.parametrize(
    ("error", "lacking"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
            True,
        ),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8.42 GB, other allocations: 9.97 GB)"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("std::bad_alloc"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("Expected all tensors to be on the same device"), False),
        (ValueError("out of memory is what it says, and a value is what it is about"), False),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error, lacking):
    assert is_out_of_memory(error) is lacking


def test_a_measured_graph_is_let_go():
    """Each graph of this batch has 10 MB; with hooks that return the tensors themselves, all of them stayed."""
    encoder = load_encoder("tiny-clip")
    pixels = torch.rand(8, 3, *encoder.input_size, generator=torch.Generator().manual_seed(0)).requires_grad_()

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def measure(times: int) -> int:
        for _ in range(times):
            with graph_memory() as memory:
                encoder.embed(pixels)  # and no backward, which would let go of what is saved
        return memory.bytes

    kept = measure(3)  # the allocator's own reserves are there after that
    before = resident()
    measure(20)
    assert kept > 5e6
    assert resident() - before < 5 * kept
