"""One batch on the device: only the guilty item fails, and a batch too large for the memory is halved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from vitequiv.memory import free_bytes, give_back, is_out_of_memory
from vitequiv.runs.engine.task import D, Failure, R, Work
from vitequiv.runs.failures import explain
from vitequiv.runs.interrupt import Interrupted

CPU_BATCH = 8
"""Pairs together on a CPU: more gain nothing there and leave its caches."""
ACCELERATOR_BATCH = 64
SHARE = 0.5
"""Of the free memory that a batch may plan with: the solver's own vectors and the next batch's images need the rest."""

OUT_OF_MEMORY = "does not fit into the memory even alone: free memory, or try --dtype bfloat16 or a smaller model"


@dataclass
class BatchSize:
    """How many items are computed together; shrinks when the memory runs out and stays small.

    Args:
        now: The size; None to choose it from the free memory.
    """

    now: int | None = None

    def choose(self, device: torch.device, each: int | None, neighbours: int = 1) -> int:
        """Settle the size.

        Args:
            device: Where the batch will be.
            each: Bytes that one item takes; None if unknown.
            neighbours: Processes that do the same with the same memory, this one among them.

        Returns:
            The size.
        """
        if self.now is None:
            self.now = largest(device)
            free = free_bytes(device) if each else None
            if each and free is not None:
                self.now = max(1, min(self.now, int(SHARE * free / neighbours / each)))
        return self.now


def largest(device: torch.device) -> int:
    """The most items that are put together where nobody says how many."""
    return CPU_BATCH if device.type == "cpu" else ACCELERATOR_BATCH


def compute_batch(
    work: Work[D, R], batch: Sequence[D], size: BatchSize, say: Callable[[str], None]
) -> list[R | Failure]:
    """Compute items together.

    Args:
        work: What to do.
        batch: The items' data.
        size: The most to put together; lowered here if the memory runs out.
        say: Told when it is.

    Returns:
        A result or a failure for each, in order. If the batch raises, they are computed one by one, so that only the
        guilty item fails.

    Raises:
        RuntimeError: If the task returns another number of results: a bug in it.
    """
    done: list[R | Failure] = []
    while len(done) < len(batch):
        most = size.now or len(batch)
        part = batch[len(done) : len(done) + most]
        outcome = _attempt(work, part)
        if outcome is None and len(part) > 1:
            size.now = len(part) // 2
            give_back()
            say(f"{len(part)} items together do not fit into the memory: going on with {size.now}.")
        elif outcome is None:
            give_back()
            done.append(Failure(f"{work.blame}: it {OUT_OF_MEMORY}."))
        elif isinstance(outcome, Failure) and len(part) > 1:
            done += [result for one in part for result in compute_batch(work, [one], size, say)]
        elif isinstance(outcome, Failure):
            done.append(outcome)
        else:
            if len(outcome) != len(part):
                raise RuntimeError(f"Expected {len(part)} results of a batch, got {len(outcome)}.")
            done += outcome
    return done


def _attempt(work: Work[D, R], part: Sequence[D]) -> Sequence[R | Failure] | Failure | None:
    """The results; the batch's failure; or None if memory ran out. No traceback outlives this, for it holds tensors."""
    try:
        return work.compute(part)
    except (KeyboardInterrupt, Interrupted, GeneratorExit):
        raise
    except BaseException as error:  # a plugin may call sys.exit
        return None if is_out_of_memory(error) else Failure(explain(error, work.blame))
