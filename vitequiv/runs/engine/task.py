"""What a verb does to one item, in the three steps that can overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from vitequiv.batching import BatchSize
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.runs.context import RunContext

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder


class Named(Protocol):
    """An item of a work list."""

    @property
    def name(self) -> str:
        """Its folder: a plain file name, unique in the run."""


@dataclass(frozen=True)
class Failure:
    """Why one item has no result, in a sentence."""

    message: str


I = TypeVar("I", bound=Named)  # noqa: E741 - an item
D = TypeVar("D")
R = TypeVar("R")


@dataclass(frozen=True)
class Prepared(Generic[D]):
    """An item that is ready for the device.

    Args:
        inputs: The files that went in, with their digests.
        data: What `compute` needs.
    """

    inputs: tuple[InputRecord, ...]
    data: D


@dataclass(frozen=True, eq=False)
class Work(Generic[D, R]):
    """The part of a task that needs nothing but an encoder and the items' data: it can be done in any process.

    Args:
        compute: See `Task`.
        blame: See `Task`.
        footprint: See `Task`.
        within: How many images one item's work puts together, if the free memory may decide that.
    """

    compute: Callable[[Sequence[D]], Sequence[R | Failure]]
    blame: str
    footprint: Callable[[D], int] | None = None
    within: BatchSize | None = None


@dataclass(frozen=True, eq=False)
class Elsewhere(Generic[D, R]):
    """How another process does a task's work; can be sent there, as can the data and the results.

    Args:
        work: From an encoder of that process to the work.
        pack: Reads, before an item's data leave this process, what only this machine may be able to read.
    """

    work: Callable[[Encoder], Work[D, R]]
    pack: Callable[[D], D] = lambda data: data


@dataclass(frozen=True, eq=False)
class Task(Generic[I, D, R]):
    """What one verb does to its items; made from an encoder and a plan, so that any process can make its own.

    Any step may raise: the item fails with the error's sentence if it was written for users, else with `blame` and the
    error's first line, and all others go on.

    Args:
        context: What the items share.
        inputs: The files that an item names, before anything is read; digests where they are known.
        prepare: Decode and preprocess; called ahead of time from other threads.
        compute: The work on the device, for as many items as the engine puts together; a result or a failure for each,
            in order.
        write: Write the item's folder, last its JSON; called from one thread of its own, in the order of the work list,
            while the next `compute` runs.
        blame: The beginning of the sentence for an error that was not written for users, without a colon.
        overlap: Whether a result may be in memory, being written, while the next is computed.
        own: What an item's envelope says in place of `context`, where that differs.
        footprint: Bytes of device memory that one more item in a batch takes, measured on one; None if unknown.
        elsewhere: How another process computes the same; None if only this one can.
    """

    context: RunContext
    inputs: Callable[[I], tuple[InputRecord, ...]]
    prepare: Callable[[I], Prepared[D]]
    compute: Callable[[Sequence[D]], Sequence[R | Failure]]
    write: Callable[[I, Prepared[D], R], Envelope]
    blame: str
    overlap: bool = True
    own: Callable[[I], RunContext] | None = None
    footprint: Callable[[D], int] | None = None
    elsewhere: Elsewhere[D, R] | None = None

    @property
    def work(self) -> Work[D, R]:
        """The part that needs an encoder alone."""
        return Work(self.compute, self.blame, self.footprint)

    def context_of(self, item: I | None) -> RunContext:
        """What an item's envelope says of the run.

        Args:
            item: The item; None for one that could not be made out.

        Returns:
            The context.
        """
        return self.context if item is None or self.own is None else self.own(item)
