"""The whole Jacobian, some rows at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

from vitequiv.geometry.operator import Jacobian
from vitequiv.memory import free_bytes, give_back, is_out_of_memory

logger = logging.getLogger(__name__)

LARGEST_CHUNK = 64
CHUNK_OF_THREADS = 4


def chunk_rows(jacobian: Jacobian) -> int:
    """Choose how many rows to compute by one batched backward pass.

    On one CPU thread one by one is fastest and needs no memory beside the result; products with four rows keep several
    threads busier (see `docs/explanation/geometry.md`). An accelerator wants batches; a row then takes about what the
    graph holds.

    Args:
        jacobian: The operator.

    Returns:
        1 or 4 on the CPU; elsewhere the largest power of two up to 64 of which half the free memory holds the rows.
    """
    if jacobian.device.type == "cpu":
        return CHUNK_OF_THREADS if torch.get_num_threads() > 1 else 1
    free = free_bytes(jacobian.device)
    if not jacobian.graph_bytes or free is None:
        return 1
    chunk = LARGEST_CHUNK
    while chunk > 1 and chunk * jacobian.graph_bytes > free / 2:
        chunk //= 2
    return chunk


def dense(jacobian: Jacobian, observe: Callable[[int], None] | None = None, chunk: int | None = None) -> Tensor:
    """Compute J through the one graph of the operator.

    A chunk that does not fit into the memory is halved, and a warning is logged; where a layer's backward has no
    batching rule, rows are computed one by one.

    Args:
        jacobian: The operator.
        observe: Told how many rows are done.
        chunk: Rows of one batched backward pass; None for `chunk_rows`.

    Returns:
        (n, m), on the operator's device, in its dtype. Cost: n vjps.

    Raises:
        RuntimeError: If not even one row can be computed.
        MemoryError: The same, for want of memory on the CPU.
    """
    n, m = jacobian.shape
    chunk = chunk or chunk_rows(jacobian)
    matrix = torch.empty(n, m, dtype=jacobian.dtype, device=jacobian.device)
    identity = torch.eye(n, dtype=jacobian.dtype, device=jacobian.device)
    done = 0
    while done < n:
        wanted = identity[done : done + chunk]
        try:
            matrix[done : done + len(wanted)] = jacobian.rows(wanted)
        except (RuntimeError, MemoryError) as error:
            if len(wanted) == 1:
                raise
            lacking = is_out_of_memory(error)
        else:
            done += len(wanted)
            if observe:
                observe(done)
            continue
        # Out of the handler, for the error's traceback holds the tensors.
        if lacking:
            chunk = len(wanted) // 2
            give_back()
            logger.warning("%d rows together do not fit into the memory: going on with %d.", len(wanted), chunk)
        else:
            chunk = 1
    return matrix
