"""The whole Jacobian, row by row."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vitequiv.geometry.operator import Jacobian


def dense(jacobian: Jacobian, observe: Callable[[int], None] | None = None) -> Tensor:
    """Compute J by one backward pass a row through the one graph of the operator.

    On a CPU this is as fast as any batching and needs no memory beside the result (see `docs/explanation/geometry.md`).

    Args:
        jacobian: The operator.
        observe: Told of each row done.

    Returns:
        (n, m), on the operator's device, in its dtype. Cost: n vjps.
    """
    n, m = jacobian.shape
    matrix = torch.empty(n, m, dtype=jacobian.dtype, device=jacobian.device)
    identity = torch.eye(n, dtype=jacobian.dtype, device=jacobian.device)
    for i in range(n):
        matrix[i] = jacobian.pull(identity[i])
        if observe:
            observe(i + 1)
    return matrix
