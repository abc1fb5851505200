"""All rows, in chunks of any size, on devices of any memory."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tests.geometry.maps import curved, image, reference
from tests.loaded import loaded
from vitequiv.geometry import rows
from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.rows import chunk_rows, dense


@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 5, 64])
def test_any_chunk_gives_the_same_rows_for_the_same_passes(chunk):
    jacobian, done = Jacobian(curved, image()), []
    matrix = dense(jacobian, done.append, chunk)
    # Sums of 60 products in float64, in another order.
    torch.testing.assert_close(matrix, reference(curved, image()), rtol=1e-12, atol=1e-14)
    assert jacobian.vjps == 5
    chunk = chunk or chunk_rows(jacobian)
    assert done == [min(i, 5) for i in range(chunk, 5 + chunk, chunk)]


@pytest.mark.parametrize("family", ["clip", "clip-resnet", "beit", "swin", "deit", "vitmae", "vitmsn", "timm"])
def test_every_family_has_batching_rules(checkpoints, family):
    encoder = loaded(checkpoints[family], dtype=torch.float64)
    pixels = torch.rand((3, *encoder.input_size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    jacobian = Jacobian(encoder.embed, pixels)
    one_by_one = dense(jacobian, chunk=1)
    torch.testing.assert_close(
        jacobian.rows(torch.eye(len(one_by_one), dtype=torch.float64)), one_by_one, rtol=0, atol=1e-11
    )


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: no memory")])
def test_a_chunk_too_large_is_halved_until_it_fits(monkeypatch, caplog, error):
    jacobian, sizes = Jacobian(curved, image()), []
    whole = Jacobian.rows

    def crowded(self, cotangents):
        sizes.append(len(cotangents))
        if len(cotangents) > 2:
            raise error
        return whole(self, cotangents)

    monkeypatch.setattr(Jacobian, "rows", crowded)
    torch.testing.assert_close(dense(jacobian, chunk=16), reference(curved, image()), rtol=1e-12, atol=1e-14)
    assert sizes == [5, 2, 2, 1]
    assert [r.getMessage() for r in caplog.records] == ["5 rows together do not fit into the memory: going on with 2."]


class NoBatchingRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, cotangent):
        return cotangent * float(cotangent.new_tensor(2).item() + 0 * cotangent.sum().item())


def test_a_layer_without_batching_rule_is_taken_row_by_row():
    jacobian = Jacobian(lambda x: NoBatchingRule.apply(x.flatten(1))[:, :4], image())
    with pytest.raises(RuntimeError):
        jacobian.rows(torch.eye(4, dtype=torch.float64))
    expected = 2 * torch.eye(4, jacobian.shape[1], dtype=torch.float64)
    assert torch.equal(dense(jacobian, chunk=4), expected)


@pytest.mark.parametrize(
    ("held", "free", "chunk"),
    [(None, 10**12, 1), (10, None, 1), (10, 10**9, 64), (10, 1280, 64), (10, 1279, 32), (10, 30, 1), (10, 5, 1)],
)
def test_the_chunk_fits_into_half_of_the_free_memory(monkeypatch, held, free, chunk):
    jacobian = Jacobian(curved, image())
    assert jacobian.graph_bytes is None, "nobody counts on a CPU"
    monkeypatch.setattr(rows, "free_bytes", lambda device: free)
    assert chunk_rows(SimpleNamespace(device=torch.device("cuda"), graph_bytes=held)) == chunk


@pytest.mark.parametrize(("threads", "chunk"), [(1, 1), (2, 4), (64, 4)])
def test_on_a_cpu_the_threads_decide(monkeypatch, threads, chunk):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert chunk_rows(Jacobian(curved, image())) == chunk
