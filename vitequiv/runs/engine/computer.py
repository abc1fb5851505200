"""Where batches are computed: in this process, or wherever else something takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch

from vitequiv.batching import BatchSize, known_or_none
from vitequiv.runs.engine.ahead import Ready
from vitequiv.runs.engine.batch import compute_batch
from vitequiv.runs.engine.task import D, Failure, I, R, Work
from vitequiv.runs.interrupt import exposed

D_contra = TypeVar("D_contra", contravariant=True)


@dataclass(frozen=True)
class Computed:
    """A batch may be computed: look at the first."""


@dataclass(frozen=True, eq=False)
class Job(Generic[I, D, R]):
    """A batch under way.

    Args:
        group: Its items.
        future: See `Computer.submit`.
    """

    group: list[Ready[I, D]]
    future: Future[Callable[[], list[R | Failure]]]

    @property
    def computed(self) -> bool:
        """Whether there are results to be taken."""
        return self.future.done() and self.future.exception() is None


class Computer(Protocol[D_contra, R]):
    """Computes batches; called in one thread, with signals held back."""

    @property
    def capacity(self) -> int:
        """Batches that may be under way: handed over, and their results not yet taken."""
        ...

    def size(self, data: D_contra | None) -> int:
        """Settle how many items are computed together.

        Args:
            data: An item, to be measured; None if there is none.

        Returns:
            The size of all batches to come.
        """
        ...

    def submit(self, batch: Sequence[D_contra]) -> Future[Callable[[], list[R | Failure]]]:
        """Compute a batch.

        Args:
            batch: The items' data.

        Returns:
            Done when the batch is computed. What it holds then brings the results here, one for each item in order:
            they may be large, and are wanted in the order of the work list.
        """
        ...


class Here(Generic[D, R]):
    """Computes in this process and in the calling thread, where a signal may end it at any moment.

    Args:
        work: What to do.
        device: Where the encoder is.
        batch_size: Items computed together; None to choose from the free memory.
        say: Told when a batch does not fit into the memory.
    """

    def __init__(
        self, work: Work[D, R], device: torch.device, batch_size: int | None, say: Callable[[str], None]
    ) -> None:
        self._work = work
        self._device = device
        self._size = BatchSize(batch_size)
        self._say = say

    @property
    def capacity(self) -> int:
        """One: `submit` returns when it is computed."""
        return 1

    def size(self, data: D | None) -> int:
        """Go by the free memory; see `Computer`."""
        with exposed():
            return self._size.choose(self._device, lambda: footprint(self._work, data))

    def submit(self, batch: Sequence[D]) -> Future[Callable[[], list[R | Failure]]]:
        """Compute it; see `Computer`."""
        with exposed():
            results = compute_batch(self._work, batch, self._size, self._say)
        future: Future[Callable[[], list[R | Failure]]] = Future()
        future.set_result(lambda: results)
        return future


def footprint(work: Work[D, R], data: D | None) -> int | None:
    """Bytes that one more item in a batch takes; None if that is not known or cannot be measured."""
    measure = work.footprint
    return None if data is None or measure is None else known_or_none(lambda: measure(data))
