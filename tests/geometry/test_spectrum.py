"""Spectra with known answers: graded, rank deficient, repeated, tall, zero."""

from __future__ import annotations

import math

import pytest
import torch

from tests.geometry.maps import M, image, linear, reference, with_singular_values
from tests.loaded import loaded
from vitequiv.geometry.lanczos import top_triplets
from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.rows import dense
from vitequiv.geometry.spectrum import spectrum, summarise
from vitequiv.geometry.subspaces import NormalSpace

CASES = {
    "graded": ([1.0, 1e-2, 1e-4, 1e-6], 4),
    "repeated": ([2.0, 1.0, 1.0, 1.0, 0.5], 5),
    "deficient": ([2.0, 1.0], 6),
    "tall": ([3.0, 2.0, 1.0], 70),
    "zero": ([], 4),
}


def matrix_of(name: str) -> torch.Tensor:
    values, n = CASES[name]
    return with_singular_values(values, n) if values else torch.zeros(n, M, dtype=torch.float64)


@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.parametrize("block", [None, 7, 1000])
def test_values_and_vectors(name, block):
    matrix = matrix_of(name)
    known = CASES[name][0]
    found = spectrum(matrix, block=block)
    assert len(found.singular_values) == min(matrix.shape)
    assert found.rank == len(known)
    # QR and SVD in float64: absolute errors of 1e-16 s_1, so 1e-10 relative at 1e-6 s_1.
    torch.testing.assert_close(
        found.singular_values[: len(known)], torch.tensor(known, dtype=torch.float64), rtol=1e-9, atol=0
    )
    assert (found.singular_values[len(known) :] <= found.tolerance).all()
    identity = torch.eye(found.rank, dtype=torch.float64)
    torch.testing.assert_close(found.left.T @ found.left, identity, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.right.T @ found.right, identity, rtol=0, atol=1e-12)
    rebuilt = found.left * found.singular_values[: found.rank] @ found.right.T
    torch.testing.assert_close(rebuilt, matrix, rtol=0, atol=1e-10)


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("smallest", [1e-2, 3e-6])
def test_in_float32_the_vectors_are_rounded_once_and_take_the_memory_of_the_matrix(smallest, overwrite):
    values = torch.logspace(0, math.log10(smallest), 5, dtype=torch.float64).tolist()
    matrix = with_singular_values(values, 7).float()
    known, memory = matrix.double(), matrix.data_ptr()
    found = spectrum(matrix, overwrite=overwrite)
    assert found.rank == 5
    assert found.right.dtype == torch.float32
    assert (found.right.data_ptr() == memory) is overwrite
    # Against the exact singular vectors of the float32 matrix: one rounding to float32 of entries of at most 1.
    right = torch.linalg.svd(known, full_matrices=False).Vh[:5].T
    signs = (right * found.right).sum(0).sign()
    torch.testing.assert_close(found.right.double(), right * signs, rtol=0, atol=6e-8)
    # The projector takes out what rounding left, whatever the condition number.
    space = NormalSpace(found.right)
    x = torch.randn((M, 3), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    normal = space.project(x)
    torch.testing.assert_close(space.project(normal), normal, rtol=0, atol=1e-12)
    assert space.project(space.project_null(x)).abs().max() < 1e-12
    torch.testing.assert_close(space.sample_normal(4, torch.Generator()).norm(dim=0), torch.ones(4).double())


FAMILIES = ["clip", "clip-resnet", "hf-clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm"]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_against_the_dense_svd_in_float64(checkpoints, family):
    encoder = loaded(checkpoints[family], dtype=torch.float64)
    pixels = torch.rand((3, *encoder.input_size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    known = torch.linalg.svdvals(reference(encoder.embed, pixels))
    found = spectrum(dense(Jacobian(encoder.embed, pixels)))
    above = known > 1e-6 * known[0]
    torch.testing.assert_close(found.singular_values[above], known[above], rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("matrix", "message"), [(torch.ones(3), "Expected a matrix"), (torch.full((2, 3), torch.nan), "NaN or infinity")]
)
def test_what_is_no_matrix_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        spectrum(matrix)


def test_summary_by_hand():
    summary = summarise(torch.tensor([2.0, 1.0, 1.0, 0.0]), rank=3)
    assert summary.frobenius_norm == pytest.approx(math.sqrt(6))
    assert summary.stable_rank == pytest.approx(1.5)
    assert summary.spectral_entropy == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(4))
    assert summary.effective_rank == pytest.approx(2 * math.sqrt(2))
    assert summary.condition_number == 2


def test_summary_of_equal_values_has_the_full_effective_rank():
    assert summarise(torch.ones(7), rank=7).effective_rank == pytest.approx(7)


def test_summary_of_nothing():
    summary = summarise(torch.zeros(4), rank=0)
    assert (summary.stable_rank, summary.effective_rank) == (0, 0)
    assert math.isnan(summary.condition_number)


@pytest.mark.parametrize("name", ["graded", "repeated", "deficient", "tall"])
def test_top_triplets_are_the_first_of_the_spectrum(name):
    matrix = matrix_of(name)
    known = CASES[name][0]
    count = min(3, len(known))
    found = top_triplets(Jacobian(linear(matrix), image()), count, tolerance=1e-8)
    assert found.converged
    torch.testing.assert_close(
        found.singular_values, torch.tensor(known[:count], dtype=torch.float64), rtol=1e-8, atol=1e-12
    )
    for i, value in enumerate(known[:count]):
        residual = (matrix @ found.right[:, i] - value * found.left[:, i]).norm() / value
        # The certificate is the true residual, and the true residual is small.
        assert residual <= 1e-7
        assert float(found.residuals[i]) == pytest.approx(float(residual), abs=1e-8)


def test_a_certificate_that_is_not_small_is_true_too():
    matrix = with_singular_values([1.0 - 0.02 * i for i in range(40)])
    found = top_triplets(Jacobian(linear(matrix), image()), 3, max_steps=8)
    assert not found.converged
    assert found.steps == 8
    true = (matrix @ found.right - found.singular_values * found.left).norm(dim=0) / found.singular_values
    torch.testing.assert_close(found.residuals, true, rtol=1e-6, atol=1e-12)
    assert (true > 1e-3).any()


def test_a_zero_jacobian_has_zero_triplets():
    found = top_triplets(Jacobian(lambda x: 0 * x.flatten(1)[:, :4], image()), 2)
    assert found.singular_values.tolist() == [0, 0]


def test_top_triplets_cost_two_passes_a_step():
    jacobian = Jacobian(linear(with_singular_values([2.0**-i for i in range(30)])), image())
    found = top_triplets(jacobian, 4)
    assert jacobian.passes == 1 + 1 + 2 * found.steps
    assert found.steps < 20


@pytest.mark.parametrize("count", [0, 5, -1])
def test_more_triplets_than_there_are_are_refused(count):
    with pytest.raises(ValueError, match="Between 1 and 4"):
        top_triplets(Jacobian(linear(matrix_of("graded")), image()), count)


def test_lanczos_ends_where_rounding_does():
    encoder = loaded("tiny-clip")
    pixels = torch.rand((3, *encoder.input_size), generator=torch.Generator().manual_seed(0))
    found = top_triplets(Jacobian(encoder.embed, pixels), 4, tolerance=1e-12)
    assert not found.converged
    assert found.steps < 64, "no more steps than tell something, of 128"
    assert found.residuals.max() < 1e-4


@pytest.mark.parametrize("seed", range(5))
def test_copies_of_a_repeated_value_are_found_when_asked_for(seed):
    values = [2.0, 1.0, 1.0, 1.0, *(0.25 * 0.7**i for i in range(28))]
    matrix = with_singular_values(values, 32)
    found = top_triplets(Jacobian(linear(matrix), image()), 4, seed=seed, verify=True)
    assert found.converged
    torch.testing.assert_close(found.singular_values, torch.tensor(values[:4], dtype=torch.float64), rtol=1e-6, atol=0)


def test_values_lost_in_rounding_are_not_called_converged():
    matrix = with_singular_values([3.0, 2.0, 1.0], 20)
    found = top_triplets(Jacobian(linear(matrix), image()), 6)
    assert not found.converged
    assert (found.residuals[:3] < 1e-3).all()
    assert (found.singular_values[3:] < 1e-14).all()
    identity = torch.eye(6, dtype=torch.float64)
    torch.testing.assert_close(found.right.T @ found.right, identity, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.left.T @ found.left, identity, rtol=0, atol=1e-10)


def test_small_values_are_as_exact_as_their_rows():
    values = [1.0, 1e-3, 1e-6, 1e-9]
    found = top_triplets(Jacobian(linear(with_singular_values(values)), image()), 4, tolerance=1e-12)
    # The eigenvalues of J J^T would lose what lies below 1e-8.
    torch.testing.assert_close(found.singular_values, torch.tensor(values, dtype=torch.float64), rtol=1e-5, atol=0)
