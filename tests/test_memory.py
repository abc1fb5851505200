"""The memory of a graph, against what is known to be kept."""

from __future__ import annotations

import torch

from vitequiv.memory import graph_memory


def test_each_storage_counts_once():
    weight = torch.ones(50, 40, dtype=torch.float64)
    x = torch.ones(3, 50, dtype=torch.float64, requires_grad=True)
    with graph_memory() as memory:
        y = torch.tanh(x @ weight)  # keeps the weight, and tanh's result
        z = y @ weight[:40, :40] + y.sum()  # the weight's storage again, as a view
    # x is not kept by the first product: the frozen weight needs no gradient.
    assert memory.bytes == 8 * (50 * 40 + 3 * 40)
    z.sum().backward()
    assert x.grad is not None


def test_it_grows_with_the_batch():
    weight = torch.ones(8, 8)
    sizes = []
    for batch in (1, 2, 3):
        with graph_memory() as memory:
            torch.tanh(torch.ones(batch, 8, requires_grad=True) @ weight)
        sizes.append(memory.bytes)
    assert sizes[2] - sizes[1] == sizes[1] - sizes[0] == 4 * 8
