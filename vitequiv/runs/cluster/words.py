"""What Ray says: of errors, in our words, and on standard error, not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vitequiv.runs.failures import reason


@contextmanager
def hushed() -> Iterator[None]:
    """Lose what is written to standard error, also by Ray's C++; for the moment that a call takes.

    Yields:
        Nothing.
    """
    sys.stderr.flush()
    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


def cause(error: BaseException) -> str:
    """What Ray says of an error.

    Args:
        error: An error that a call of a worker ended with.

    Returns:
        A clause, without a full stop.
    """
    from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

    if isinstance(error, RayTaskError):
        return reason(error.cause)
    if isinstance(error, RayActorError) and not error.actor_init_failed:
        return "the worker that computed it died, and so did others that tried"
    if isinstance(error, OutOfMemoryError):
        return "Ray ended the worker that computed it, for its machine had no memory left"
    return str(error).strip().splitlines()[-1].strip().rstrip(".")
