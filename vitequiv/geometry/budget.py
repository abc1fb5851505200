"""Time and memory of a full Jacobian, known before it is begun."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch

from vitequiv.errors import ResourceError
from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.spectrum import BLOCK
from vitequiv.memory import free_bytes

WORKSPACE = 4
"""Copies of a block in float64 that QR holds: the block, the factor with it, LAPACK's own, and the result."""


@dataclass(frozen=True)
class Preflight:
    """What all rows of a Jacobian will take.

    Args:
        rows: Backward passes, n.
        seconds: From the time of one.
        bytes: J in its dtype, into whose memory V goes, and the block of J^T that QR works on.
    """

    rows: int
    seconds: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.rows} backward passes, about {self.seconds:.0f} s and {self.bytes / 2**20:,.0f} MiB"


def preflight(jacobian: Jacobian, beside: int = 0) -> Preflight:
    """Measure one row and say what all take.

    Args:
        jacobian: The operator. Cost: 2 vjps.
        beside: Bytes that will be needed beside J and its decomposition.

    Returns:
        The expectation.

    Raises:
        ResourceError: If the memory is not there; says what would fit.
    """
    n, m = jacobian.shape
    seconds = n * min(_seconds(jacobian) for _ in range(2))  # the first product of a process also starts thread pools
    needed = n * m * torch.finfo(jacobian.dtype).bits // 8 + WORKSPACE * BLOCK * n * n * 8 + beside
    available = free_bytes(jacobian.device)
    if available is not None and needed > available:
        raise ResourceError(
            f"The full Jacobian, {n} x {m}, needs {needed / 2**30:.1f} GiB and {available / 2**30:.1f} GiB are free: "
            "compute the largest triplets with jacobian --method topk, or take --dtype float32 where it was float64."
        )
    return Preflight(n, seconds, needed)


def _seconds(jacobian: Jacobian) -> float:
    began = time.perf_counter()
    product = jacobian.pull(torch.ones(jacobian.shape[0]))
    float(product[0])  # waits for a device that computes on its own
    return time.perf_counter() - began
