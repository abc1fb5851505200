"""`vitequiv.jacobian`: an image in, the singular value decomposition of its Jacobian out."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, ModelError
from vitequiv.geometry.budget import Preflight, preflight
from vitequiv.geometry.lanczos import top_triplets
from vitequiv.geometry.operator import NON_FINITE, Jacobian
from vitequiv.geometry.rows import dense
from vitequiv.geometry.spectrum import Spectrum, spectrum, summarise
from vitequiv.memory import all_finite
from vitequiv.precision import in_float64
from vitequiv.results.cost import Cost
from vitequiv.results.jacobian import JacobianResult, RankReport
from vitequiv.results.names import Method
from vitequiv.results.status import Status

DEFAULT_K = 16
DEFAULT_TOLERANCE = 1e-3
BELOW_ROUNDING = (
    "Some residuals stayed above the tolerance, or values beside the largest were lost: the products are not exact "
    "enough; ask for a larger tolerance, fewer triplets, or float64."
)
DISAGREE = (
    "The triplets do not hold for independent products: the encoder gives different derivatives each time, or less "
    "exact ones than its dtype."
)
CHECKED = 8
"""Triplets of a full spectrum that are checked by independent products, spread over its rank."""


def jacobian(
    encoder: Encoder,
    pixels: Tensor,
    method: str = Method.FULL,
    k: int | None = None,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    seed: int = 0,
    verify: bool = False,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> list[JacobianResult]:
    """Decompose the Jacobian of the embedding at each image (paper, Eq. 5 and Fig. 3).

    Args:
        encoder: The encoder.
        pixels: (B, 3, H, W) in [0, 1] at the encoder's input size, or one image (3, H, W).
        method: `full` for all singular triplets, `topk` for the k largest without the matrix.
        k: Triplets for `topk`; by default 16, or n if that is less.
        tolerance: Relative residual to reach, for `topk`.
        seed: Seed of the starting direction, for `topk`.
        verify: For `topk`, look for copies of repeated singular values too, at about twice the cost.
        before: Told what a full Jacobian will take, before it is begun.
        observe: Told of rows done and rows in all; for `topk`, of Lanczos steps done and allowed.

    Returns:
        A result an image. Cost of one: for `full` 2 forwards, n + 4 vjps and up to 8 jvps; for `topk` 1 forward, 1 vjp
        and 2 passes a Lanczos step.

    Raises:
        ValueError: If the shape, the method or k is not as described, or the encoder is in bfloat16.
        ResourceError: If the full Jacobian does not fit into memory.
        ModelError: If products with J cannot be computed, for `topk`.
        ImageError: If the embedding or its Jacobian is NaN or infinite.
    """
    if method not in set(Method):
        raise ValueError(f"There is no method {method!r}: choose from {', '.join(Method)}.")
    require_float(encoder)
    batch = encoder.batch(pixels)
    if method == Method.TOPK:
        count = min(DEFAULT_K, encoder.embedding_dim) if k is None else k
        return [_topk(encoder, image, count, tolerance, seed, verify, observe) for image in batch]
    if k is not None:
        raise ValueError("k goes with the method topk: the full method finds all singular triplets.")
    return [_full(encoder, image, before, observe) for image in batch]


def require_float(encoder: Encoder) -> None:
    """Refuse an encoder in bfloat16.

    Args:
        encoder: The encoder.

    Raises:
        ValueError: If it is: with 8 bits neither rank nor residuals mean anything.
    """
    if encoder.dtype == torch.bfloat16:
        raise ValueError("Derivatives need float32 or float64: load the encoder in one of them, not in bfloat16.")


def linearise(encoder: Encoder, image: Tensor) -> Jacobian:
    """Make the operator at an image.

    Args:
        encoder: The encoder.
        image: (3, H, W).

    Returns:
        The operator. Cost: 1 forward.

    Raises:
        ImageError: If the embedding is NaN or infinite.
    """
    operator = Jacobian(encoder.embed, image)
    if not bool(operator.embedding.isfinite().all()):
        raise ImageError(NON_FINITE)
    return operator


def _full(
    encoder: Encoder,
    image: Tensor,
    before: Callable[[Preflight], None] | None,
    observe: Callable[[int, int], None] | None,
) -> JacobianResult:
    began = time.perf_counter()
    operator = linearise(encoder, image)
    expected = preflight(operator)
    if before:
        before(expected)
    matrix = dense(operator, (lambda row: observe(row, operator.shape[0])) if observe else None)
    if not all_finite(matrix):
        raise ImageError(NON_FINITE)
    found = spectrum(matrix, overwrite=True)
    del matrix  # which holds V now
    fresh = Jacobian(encoder.embed, image)
    residuals = _check(fresh, found)
    holds = all(error <= _expected_residual(found, i) for i, error in residuals.items())
    return JacobianResult(
        status=Status.CONVERGED if holds else Status.STALLED,
        message=Status.CONVERGED.sentence if holds else DISAGREE,
        method=Method.FULL,
        shape=operator.shape,
        singular_values=found.singular_values,
        left=found.left,
        right=found.right,
        residuals=residuals,
        rank=_rank_report(operator, found),
        summary=summarise(found.singular_values, found.rank),
        cost=_cost(began, expected.bytes, operator, fresh),
    )


def _topk(
    encoder: Encoder,
    image: Tensor,
    count: int,
    tolerance: float,
    seed: int,
    verify: bool,
    observe: Callable[[int, int], None] | None,
) -> JacobianResult:
    began = time.perf_counter()
    operator = linearise(encoder, image)
    found = top_triplets(operator, count, tolerance=tolerance, seed=seed, verify=verify, observe=observe)
    status = Status.CONVERGED if found.converged else Status.STALLED
    return JacobianResult(
        status=status,
        message=status.sentence if found.converged else BELOW_ROUNDING,
        method=Method.TOPK,
        shape=operator.shape,
        singular_values=found.singular_values,
        left=found.left,
        right=found.right,
        residuals=dict(enumerate(found.residuals.tolist())),
        rank=None,
        summary=None,
        cost=_cost(began, found.steps * operator.shape[1] * torch.finfo(operator.dtype).bits // 8, operator),
    )


def _check(operator: Jacobian, found: Spectrum) -> dict[int, float]:
    """|J v - s u| / s by products through a graph that had no part in finding the triplets, relative to s of each.

    Returns:
        By index; nothing where the model has no products with J (see `Jacobian`).
    """
    count = min(CHECKED, found.rank)
    indices = sorted({round(i * (found.rank - 1) / max(count - 1, 1)) for i in range(count)})
    residuals = {}
    for i in indices:
        value = found.singular_values[i]
        try:
            product = operator @ found.right[:, i]
        except ModelError:
            return {}
        residuals[i] = float((in_float64(product) - value * found.left[:, i]).norm() / value)
    return residuals


def _expected_residual(found: Spectrum, index: int) -> float:
    """What rounding may make of a residual: a few times the tolerance, relative to the singular value."""
    return 10 * found.tolerance / float(found.singular_values[index])


def _rank_report(operator: Jacobian, found: Spectrum) -> RankReport:
    deficit = min(operator.shape) - found.rank
    size = float(in_float64(operator.embedding).norm())
    largest = float(found.singular_values[0]) if found.rank else 0.0
    gain = float(in_float64(operator.pull(operator.embedding)).norm()) / (size * largest) if size * largest else 0.0
    if deficit == 0:
        explanation = "full rank"
    elif found.rank == 0:
        explanation = "the Jacobian is zero here"
    elif gain * largest <= found.tolerance and deficit == 1:
        explanation = "one direction less: the embedding has constant norm, as a normalised one has"
    elif deficit == 2:
        explanation = (
            "two directions less, as where a layer norm at the end has it that mean and norm are fixed, or where two "
            "coordinates are constant"
        )
    elif deficit == 1:
        explanation = "one direction less, as where a layer norm fixes the mean (and, but for its epsilon, the norm)"
    else:
        explanation = f"the embedding moves in {found.rank} of its {min(operator.shape)} dimensions"
    return RankReport(found.rank, found.tolerance, deficit, gain, explanation)


def _cost(began: float, needed: int, *operators: Jacobian) -> Cost:
    forwards, vjps, jvps = (sum(getattr(o, kind) for o in operators) for kind in ("forwards", "vjps", "jvps"))
    return Cost(forwards, vjps, jvps, time.perf_counter() - began, needed / 2**20)
