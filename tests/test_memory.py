"""What is finite, and what is done where memory runs out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from vitequiv import load_encoder
from vitequiv.memory import all_finite, graph_memory, in_batches


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
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["cuda", "cpu", "python"],
)
def test_what_does_not_fit_is_halved_and_stays_small(error, caplog):
    sizes = []

    def compute(part):
        sizes.append(len(part))
        if len(part) > 2:
            raise error
        return sum(part)

    assert sum(in_batches(compute, range(11), 8)) == 55
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert [record.getMessage() for record in caplog.records] == [
        "8 images together do not fit into the memory: going on with 4.",
        "4 images together do not fit into the memory: going on with 2.",
    ]


@pytest.mark.parametrize(("error", "size"), [(MemoryError(), 1), (ValueError("no"), 4)])
def test_what_halving_cannot_help_is_raised(error, size):
    def compute(part):
        raise error

    with pytest.raises(type(error)):
        in_batches(compute, [1, 2, 3, 4], size)


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
