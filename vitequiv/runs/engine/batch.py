"""One batch on the device: only the guilty item fails, and a batch too large for the memory is halved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from vitequiv.batching import BatchSize
from vitequiv.memory import give_back, is_out_of_memory
from vitequiv.runs.engine.task import D, Failure, R, Work
from vitequiv.runs.failures import OUT_OF_MEMORY, explain
from vitequiv.runs.interrupt import Interrupted


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
            say(size.halve(len(part)))
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
