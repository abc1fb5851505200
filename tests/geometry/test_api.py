"""`vitequiv.jacobian` on real checkpoints, and what a full Jacobian is told to take."""

from __future__ import annotations

import pytest
import torch

import vitequiv
from tests.geometry.maps import image, linear, with_singular_values
from tests.geometry.test_operator import BackwardOnly
from tests.loaded import loaded
from vitequiv.errors import ImageError, ModelError, ResourceError
from vitequiv.geometry import budget
from vitequiv.geometry.operator import Jacobian
from vitequiv.results.status import Status


def pixels(encoder, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand((count, 3, *encoder.input_size), generator=generator, dtype=encoder.pixel_dtype)


@pytest.mark.parametrize(
    ("family", "dtype", "deficit", "words"),
    [
        # A layer norm fixes the mean exactly, and the norm up to its epsilon, which float64 sees and float32 does not.
        ("deit", torch.float32, 2, "mean and norm are fixed"),
        ("deit", torch.float64, 1, "fixes the mean"),
        ("vitmae", torch.float32, 2, "mean and norm are fixed"),
        ("vitmsn", torch.float32, 2, "mean and norm are fixed"),
        # A mean of normed tokens keeps a fixed mean and has no fixed norm.
        ("swin", torch.float64, 1, "fixes the mean"),
        ("clip", torch.float64, 0, "full rank"),
    ],
)
def test_the_structural_deficit_is_found_and_named(checkpoints, family, dtype, deficit, words):
    encoder = loaded(checkpoints[family], dtype=dtype)
    (result,) = vitequiv.jacobian(encoder, pixels(encoder))
    assert result.rank.deficit == deficit
    assert words in result.rank.explanation
    assert result.rank.rank + deficit == encoder.embedding_dim


def test_a_normalised_embedding_has_one_dimension_less_and_no_radial_gain(checkpoints):
    encoder = loaded("tiny-clip", dtype=torch.float64)
    x = pixels(encoder)

    class Normalised:
        def __getattr__(self, name):
            return getattr(encoder, name)

        @staticmethod
        def embed(batch):
            # tiny-clip moves in 127 of its 128 dimensions; eight of them lose nothing but the norm.
            return torch.nn.functional.normalize(encoder.embed(batch)[:, :8], dim=1)

    (result,) = vitequiv.jacobian(Normalised(), x)
    assert result.rank.deficit == 1
    assert result.rank.radial_gain < 1e-10
    assert "constant norm" in result.rank.explanation


def test_full_and_topk_agree_and_certify_themselves():
    encoder = loaded("tiny-clip", dtype=torch.float64)
    x = pixels(encoder, 2)
    full = vitequiv.jacobian(encoder, x)
    top = vitequiv.jacobian(encoder, x, "topk", k=5, tolerance=1e-6)
    assert len(full) == len(top) == 2
    for a, b in zip(full, top, strict=True):
        assert a.status is b.status is Status.CONVERGED
        # The error of a singular value is the square of its residual.
        torch.testing.assert_close(b.singular_values, a.singular_values[:5], rtol=1e-9, atol=0)
        assert max(b.residuals.values()) <= 1e-6
        # Independent products in float64, relative to singular values down to 1e-5 s_1.
        assert max(a.residuals.values()) < 1e-9
        assert len(a.residuals) == 8
        cosines = (a.right[:, :5] * b.right).sum(0).abs()
        torch.testing.assert_close(cosines, torch.ones(5, dtype=torch.float64), rtol=0, atol=1e-6)
    # Two forwards: the check has a graph of its own.
    # n rows, two to measure the time, one for the radial gain, one for the graph of the products with J.
    assert (full[0].cost.forwards, full[0].cost.vjps, full[0].cost.jvps) == (2, 128 + 4, 8)


def test_the_observers_are_told():
    encoder = loaded("tiny-clip")
    expected, rows = [], []
    vitequiv.jacobian(
        encoder, pixels(encoder), before=expected.append, observe=lambda done, total: rows.append((done, total))
    )
    assert expected[0].rows == 128
    # J in float32, into which V goes, and four blocks of 1,024 columns in float64.
    assert expected[0].bytes == 128 * 12288 * 4 + 4 * 8 * 128 * 128 * 8
    assert "128 backward passes" in str(expected[0])
    chunk = 4 if torch.get_num_threads() > 1 else 1
    assert rows == [(done, 128) for done in range(chunk, 128 + chunk, chunk)]


def test_too_little_memory_says_what_would_fit(monkeypatch):
    monkeypatch.setattr(budget, "free_bytes", lambda device: 1000)
    with pytest.raises(ResourceError, match="--method topk"):
        budget.preflight(Jacobian(linear(with_singular_values([1.0, 1.0])), image()))


def test_free_memory_is_known_here():
    free = budget.free_bytes(torch.device("cpu"))
    assert free is not None
    assert 2**20 < free < 2**50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "qr"}, "choose from full, topk"),
        ({"k": 3}, "k goes with the method topk"),
        ({"method": "topk", "k": 200}, "Between 1 and 128"),
    ],
)
def test_misuse(arguments, message):
    encoder = loaded("tiny-clip")
    with pytest.raises(ValueError, match=message):
        vitequiv.jacobian(encoder, pixels(encoder), **arguments)


class Behaving:
    """tiny-clip with another map in place of its own."""

    def __init__(self, embed, dtype=torch.float64):
        self._encoder = loaded("tiny-clip", dtype=dtype)
        self._map = embed

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def embed(self, batch):
        return self._map(batch)


def columns(batch, n=6):
    """A linear map with n different singular values."""
    return batch.flatten(1)[:, :n] * torch.arange(1.0, n + 1, dtype=batch.dtype)


def test_a_full_spectrum_that_independent_products_contradict_has_not_converged():
    calls = []

    def drifting(batch):
        calls.append(batch)
        return columns(batch) * (1 if len(calls) == 1 else 1.01)

    encoder = Behaving(drifting)
    (result,) = vitequiv.jacobian(encoder, pixels(encoder))
    assert result.status is Status.STALLED
    assert "independent products" in result.message
    assert all(residual > 5e-3 for residual in result.residuals.values())


def test_a_backward_pass_alone_is_enough_for_full_and_for_ldlc():
    encoder = Behaving(lambda batch: columns(BackwardOnly.apply(batch)))
    x = pixels(encoder)
    (result,) = vitequiv.jacobian(encoder, x)
    assert result.status is Status.CONVERGED
    assert result.residuals == {}
    assert result.rank.rank == 6
    found = vitequiv.ldlc(encoder, x, count=20, measured=5)
    assert len(found.groups["random"].along) == 0
    assert found.checks.singular < 1e-3
    with pytest.raises(ModelError, match="cannot be computed"):
        vitequiv.jacobian(encoder, x, "topk", k=2)


@pytest.mark.parametrize("method", ["full", "topk"])
@pytest.mark.parametrize("fault", ["embedding", "jacobian"])
def test_nan_is_one_sentence(method, fault):
    def broken(batch):
        return columns(batch) + (torch.nan if fault == "embedding" else 0) + (batch.flatten(1)[:, :6] * 0).sqrt()

    encoder = Behaving(broken)
    with pytest.raises(ImageError, match="NaN or infinite at this image"):
        vitequiv.jacobian(encoder, pixels(encoder), method, k=2 if method == "topk" else None)
    with pytest.raises(ImageError, match="NaN or infinite at this image"):
        vitequiv.ldlc(encoder, pixels(encoder), count=5, measured=5)


def test_bfloat16_is_refused():
    encoder = loaded("tiny-clip", dtype=torch.bfloat16)
    for call in (vitequiv.jacobian, vitequiv.ldlc):
        with pytest.raises(ValueError, match="float32 or float64"):
            call(encoder, pixels(encoder))


def test_memory_for_the_directions_of_ldlc_is_asked_for_first(monkeypatch):
    encoder = loaded("tiny-clip")
    monkeypatch.setattr(budget, "free_bytes", lambda device: 2**30)
    with pytest.raises(ResourceError, match="GiB are free"):
        vitequiv.ldlc(encoder, pixels(encoder), count=10_000, measured=10_000)
