"""Singular values and vectors of a dense Jacobian, accurate far below the largest."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.memory import all_finite
from vitequiv.precision import in_float64
from vitequiv.results.jacobian import SpectrumSummary

ROUNDING = 8.0
"""How many units of rounding a row of J is taken to carry: the depth of sums in a network, not its size, decides."""


BLOCK = 8
"""Columns of J that QR takes at a time, as a multiple of its rows: adds an eighth to the work of one QR of all."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """J = U diag(s) V^T, the part above the numerical rank.

    Args:
        singular_values: All min(n, m) of them, falling, float64.
        left: U, (n, r), float64.
        right: V, (m, r), orthonormal to the rounding of J's dtype, in which it is stored, on J's device.
        tolerance: Singular values up to here are not told from zero.
    """

    singular_values: Tensor
    left: Tensor
    right: Tensor
    tolerance: float

    @property
    def rank(self) -> int:
        """r, the number of singular values above the tolerance."""
        return int(self.left.shape[1])


def spectrum(
    matrix: Tensor, dtype: torch.dtype | None = None, block: int | None = None, overwrite: bool = False
) -> Spectrum:
    """Decompose a wide matrix.

    The triangular factor of J^T is taken in float64 by QR of one block of columns of J after the other (TSQR; Demmel,
    Grigori, Hoemmen and Langou 2012, arXiv 0808.2664), and its SVD gives s and U. Errors are about 1e-16 s_1, whereas a
    Gram matrix J J^T would lose everything below 1e-8 s_1, and in float32 below 1e-3. V = J^T U / s is computed in
    float64 and rounded once to J's dtype. For a J in float64, where that hides no errors of 1e-16 s_1 / s_r, V is made
    orthonormal by one Cholesky step; `NormalSpace` makes its projectors exact in any dtype.

    Args:
        matrix: J, (n, m), on any device.
        dtype: The dtype J was computed in, which decides the tolerance; by default the matrix's own.
        block: Columns of J at a time; by default 8 n.
        overwrite: Put V into the memory of J, whose values are lost: J and its decomposition then need no more than J.

    Returns:
        The decomposition. Work: 2 m n^2 operations for s and U, and as much for V. No passes.

    Raises:
        ValueError: If the matrix is not two-dimensional or not finite.
    """
    if matrix.ndim != 2:
        raise ValueError(f"Expected a matrix (n, m), got shape {tuple(matrix.shape)}.")
    if not all_finite(matrix):
        raise ValueError("The Jacobian holds NaN or infinity.")
    rows, columns = matrix.shape
    block = block or BLOCK * rows
    factor = torch.zeros(0, rows, dtype=torch.float64, device=in_float64(matrix[:0]).device)
    for begin in range(0, columns, block):
        tall = in_float64(matrix[:, begin : begin + block].T)
        factor = torch.linalg.qr(torch.cat([factor, tall]), mode="r").R
    _, values, left = torch.linalg.svd(factor, full_matrices=False)
    left = left.T  # (n, min(n, m))
    tolerance = rank_tolerance(values, dtype or matrix.dtype)
    rank = int((values > tolerance).sum())
    left = left[:, :rank]
    store = matrix[:rank] if overwrite else torch.empty_like(matrix[:rank])
    _store_right(matrix, left / values[:rank], store, block)
    return Spectrum(values, left, store.T, tolerance)


def rank_tolerance(values: Tensor, dtype: torch.dtype) -> float:
    """Below which a singular value is not told from zero.

    By Weyl's inequality rounding moves a singular value by at most the norm of the error matrix, which is at most its
    Frobenius norm: a few units of rounding of |J|_F.

    Args:
        values: Singular values.
        dtype: The dtype J was computed in.

    Returns:
        The tolerance, in the values' unit.
    """
    return ROUNDING * torch.finfo(dtype).eps * float(values.norm())


def _store_right(matrix: Tensor, weights: Tensor, store: Tensor, block: int) -> None:
    """V^T = (U / s)^T J, columns by columns, which may be those of J itself."""
    blocks = [slice(begin, begin + block) for begin in range(0, matrix.shape[1], block)]
    for part in blocks:
        store[:, part] = (weights.T @ in_float64(matrix[:, part])).to(store)
    if len(store) and store.dtype == torch.float64:  # takes out the errors of 1e-16 s_1 / s_r in its orthonormality
        lower = torch.linalg.cholesky(store @ store.T)
        for part in blocks:
            store[:, part] = torch.linalg.solve_triangular(lower, store[:, part], upper=False)


def summarise(values: Tensor, rank: int) -> SpectrumSummary:
    """Summarise singular values.

    Args:
        values: All singular values, falling.
        rank: The numerical rank.

    Returns:
        The summary; ranks and entropy are 0 and the condition number NaN for a zero Jacobian.
    """
    values = in_float64(values)
    if rank == 0:
        return SpectrumSummary(float(values.norm()), 0.0, 0.0, 0.0, math.nan)
    share = values / values.sum()
    entropy = float(-torch.special.xlogy(share, share).sum())
    return SpectrumSummary(
        frobenius_norm=float(values.norm()),
        stable_rank=float((values / values[0]).square().sum()),
        effective_rank=math.exp(entropy),
        spectral_entropy=entropy,
        condition_number=float(values[0] / values[rank - 1]),
    )
