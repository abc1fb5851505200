"""A run directory as the engine's keeper: what is there already, and what has ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto

from vitequiv.errors import OutputError, UsageError
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.run import RunFile
from vitequiv.runs.changes import changed_environment
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.journal import Journal
from vitequiv.runs.record import (
    add_model,
    begin_record,
    continue_record,
    read_record,
    save_record,
    sized,
)
from vitequiv.runs.resume import judge


class Existing(Enum):
    """What to do with results that are there."""

    REFUSE = auto()
    OVERWRITE = auto()
    RESUME = auto()


class RunStore:
    """The keeper of a run directory; the caller holds its lock.

    Args:
        out: The directory.
        context: What the items share.
        existing: What to do with results that are there.
        batch_size: Items computed together; None for that of the run to be resumed, else to be chosen.
        say: Told why an item is done again, and what is different from when the run began.

    Raises:
        UsageError: If the run to be resumed had other settings or weights.
    """

    def __init__(
        self,
        out: RunDirectory,
        context: RunContext,
        existing: Existing,
        batch_size: int | None = 1,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._out = out
        self._existing = existing
        self._say = say
        path = out.record
        old = read_record(path) if existing is Existing.RESUME else None
        if old is None:
            record = begin_record(context)
        else:
            record = continue_record(old, context, out.path)
            if note := changed_environment(old, context):
                say(note)
        record = sized(record, context, batch_size)
        save_record(record, path)
        self._path, self._record = path, record
        self._journal = Journal(out.journal, out.verb, known=existing is Existing.RESUME)

    def turn_to(self, context: RunContext, batch_size: int | None) -> None:
        """Go on with another model.

        Args:
            context: What its items share.
            batch_size: See `RunFile`.
        """
        self._record = sized(add_model(self._record, context, self._out.path), context, batch_size)
        save_record(self._record, self._path)

    @property
    def record(self) -> RunFile:
        """The record of the run."""
        return self._record

    def stored(self, name: str, inputs: tuple[InputRecord, ...], context: RunContext) -> Envelope | None:
        """The envelope of an item that need not be done again; see `judge`.

        Args:
            name: The item.
            inputs: The files that it would read now.
            context: What its envelope would say of the run.

        Returns:
            The envelope; None for an item to be done, which then has no result in its folder any more.

        Raises:
            OutputError: If there is a result and nobody said what to do with it, or one of a later vitequiv.
        """
        if self._existing is Existing.RESUME:
            verdict = judge(self._out, name, inputs, context)
            if verdict.note:
                self._say(verdict.note)
            if verdict.kept is not None:
                return verdict.kept
        elif self._existing is Existing.REFUSE and self._out.result(name).exists():
            raise OutputError(
                f"Results are there already in {self._out.path / name}: replace them with --overwrite, keep them with "
                "--resume, or choose another --out."
            )
        self._out.discard(name)
        return None

    def append(self, envelope: Envelope) -> None:
        """Add an item to `results.jsonl`.

        Args:
            envelope: The item.
        """
        self._journal.append(envelope)

    def sized(self, batch_size: int) -> None:
        """Note the size of the batches in the record, for a resumed run to cut them at the same places.

        Args:
            batch_size: Items computed together.
        """
        self._record = replace(self._record, batch_size=batch_size)
        with suppress(UsageError):  # only the last bits of results depend on it
            save_record(self._record, self._path)

    def close(self) -> None:
        """Close `results.jsonl`."""
        self._journal.close()
