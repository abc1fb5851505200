"""How many go through a network together, and what is done where they do not fit."""

from __future__ import annotations

import pytest
import torch

from vitequiv import batching, load_encoder
from vitequiv.batching import BatchSize, batch_size_of, image_bytes, in_batches, settle_for

CPU = torch.device("cpu")


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


def test_a_size_that_is_shared_stays_halved_and_says_what_was_halved(caplog):
    size = BatchSize(8)

    def compute(part):
        if len(part) > 2:
            raise MemoryError
        return len(part)

    assert in_batches(compute, range(8), size, "pairs") == [2, 2, 2, 2]
    assert size.now == 2
    assert in_batches(compute, range(3), size) == [2, 1]
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "8 pairs together do not fit into the memory",
        "4 pairs together do not fit into the memory",
    ]


@pytest.mark.parametrize(
    ("free", "each", "neighbours", "size"),
    [(None, 100, 1, 8), (10_000, 100, 1, 8), (1000, 100, 1, 5), (1000, 100, 2, 2), (10, 400, 1, 1), (1000, None, 1, 8)],
)
def test_half_of_the_free_memory_holds_the_batch(monkeypatch, free, each, neighbours, size):
    monkeypatch.setattr(batching, "free_bytes", lambda _: free)
    assert BatchSize(neighbours=neighbours).choose(CPU, lambda: each) == size


def test_a_size_that_is_settled_is_not_measured_again():
    assert BatchSize(3).choose(CPU, lambda: 1 / 0) == 3


@pytest.mark.parametrize("given", [0, -1])
def test_no_batch_of_none(given):
    with pytest.raises(ValueError, match="at least 1"):
        batch_size_of(given)


def test_an_image_takes_its_graph_and_its_vectors_whatever_is_in_it(monkeypatch):
    """The graph of k images grows by as much with each; a batch of the settled size fits into half of what is free."""
    encoder = load_encoder("tiny-clip")
    pixels = torch.rand(3, *encoder.input_size, generator=torch.Generator().manual_seed(0))
    each = image_bytes(encoder.embed, pixels)
    assert each == image_bytes(encoder.embed, torch.zeros_like(pixels))
    with batching.graph_memory() as one:
        encoder.embed(pixels[None].requires_grad_())
    with batching.graph_memory() as four:
        encoder.embed(pixels[None].repeat(4, 1, 1, 1).requires_grad_())
    # The weights stay as they are; a view of them may be counted with the first image.
    assert four.bytes - one.bytes == pytest.approx(3 * (each - batching.PIXEL_VECTORS * pixels.nbytes), rel=0.01)
    monkeypatch.setattr(batching, "free_bytes", lambda _: 2 * 3 * each + 1)
    assert settle_for(BatchSize(), encoder) == 3


def test_what_cannot_be_measured_is_left_to_the_most_that_is_sensible():
    encoder = load_encoder("tiny-clip")
    encoder.tower.module.forward = lambda x: 1 / 0
    assert settle_for(BatchSize(), encoder) == batching.CPU_BATCH
