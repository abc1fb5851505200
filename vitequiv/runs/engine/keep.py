"""What the engine asks of the place where results are kept."""

from __future__ import annotations

from typing import Protocol

from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.runs.context import RunContext


class Keeper(Protocol):
    """Remembers the items of a run; called from several threads, `append` from one."""

    def stored(self, name: str, inputs: tuple[InputRecord, ...], context: RunContext) -> Envelope | None:
        """The envelope of an item that need not be done again; None for one that must."""
        ...

    def append(self, envelope: Envelope) -> None:
        """Record that an item has ended."""

    def sized(self, batch_size: int) -> None:
        """Record how many items are computed together."""


class NothingKept:
    """Remembers nothing: every item is done, and only its folder is left."""

    def stored(self, name: str, inputs: tuple[InputRecord, ...], context: RunContext) -> Envelope | None:
        """Nothing is."""
        del name, inputs, context
        return None

    def append(self, envelope: Envelope) -> None:
        """Nowhere."""
        del envelope

    def sized(self, batch_size: int) -> None:
        """Nowhere."""
        del batch_size
