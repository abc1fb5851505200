"""Time and memory of a full Jacobian, known before it is begun."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch

from vitequiv.errors import ResourceError
from vitequiv.geometry.operator import Jacobian


@dataclass(frozen=True)
class Preflight:
    """What all rows of a Jacobian will take.

    Args:
        rows: Backward passes, n.
        seconds: From the time of one.
        bytes: J in its dtype, V in float64, and the copy that making V orthonormal needs.
    """

    rows: int
    seconds: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.rows} backward passes, about {self.seconds:.0f} s and {self.bytes / 2**20:,.0f} MiB"


def preflight(jacobian: Jacobian) -> Preflight:
    """Measure one row and say what all take.

    Args:
        jacobian: The operator. Cost: 2 vjps.

    Returns:
        The expectation.

    Raises:
        ResourceError: If the memory is not there; says what would fit.
    """
    n, m = jacobian.shape
    seconds = n * min(_seconds(jacobian) for _ in range(2))  # the first product of a process also starts thread pools
    needed = n * m * (torch.finfo(jacobian.dtype).bits // 8 + 16)
    available = free_bytes(jacobian.device)
    if available is not None and needed > available:
        raise ResourceError(
            f"The full Jacobian, {n} x {m}, needs {needed / 2**30:.1f} GiB and {available / 2**30:.1f} GiB are free: "
            "use --method topk, or --dtype float32 where float64 was asked for."
        )
    return Preflight(n, seconds, needed)


def _seconds(jacobian: Jacobian) -> float:
    began = time.perf_counter()
    product = jacobian.pull(torch.ones(jacobian.shape[0]))
    float(product[0])  # waits for a device that computes on its own
    return time.perf_counter() - began


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be had.

    Args:
        device: The torch device.

    Returns:
        Bytes, or None where the system does not tell.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else None
