"""The one place that writes: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vitequiv.cli.options import Format
from vitequiv.results.envelope import Envelope, jsonable
from vitequiv.results.status import Status

PIPED_WIDTH = 160

Column = tuple[str, Callable[[Envelope], str]]
"""A table column: its heading and what it shows of an item that has a result."""


def error_console() -> Console:
    """A console on standard error, for progress, notes and errors."""
    return Console(stderr=True, highlight=False)


def output_console() -> Console:
    """A console on standard output; wide when nobody's terminal decides."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)


def print_error(message: str) -> None:
    """Print one sentence about what went wrong."""
    error_console().print(f"[bold red]Error:[/] {escape(message)}", soft_wrap=True)


def print_note(message: str) -> None:
    """Print one sentence that the user should know."""
    error_console().print(f"[dim]{escape(message)}[/]", soft_wrap=True)


def print_json(value: object) -> None:
    """Print one JSON object on a line of its own."""
    sys.stdout.write(json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False) + "\n")
    sys.stdout.flush()


class Renderer:
    """Shows the items of a run as they end, and a table or nothing more at the end.

    Args:
        output_format: JSON lines, each as its item ends; or a table when all have.
        columns: The table's columns beside item and status.
    """

    def __init__(self, output_format: Format, columns: Sequence[Column]) -> None:
        self._format = output_format
        self._columns = columns
        self._envelopes: list[Envelope] = []

    def item(self, envelope: Envelope) -> None:
        """Take an item that has ended."""
        self._envelopes.append(envelope)
        if self._format is Format.JSON:
            print_json(envelope.to_dict())

    @property
    def all_converged(self) -> bool:
        """Whether every item so far has met its goal."""
        return all(envelope.status is Status.CONVERGED for envelope in self._envelopes)

    def finish(self, where: str) -> None:
        """Print the table, and below it a sentence for each item that did not converge."""
        if self._format is Format.JSON:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("item", overflow="fold")
        table.add_column("status")
        for heading, _ in self._columns:
            table.add_column(heading, justify="right")
        for envelope in self._envelopes:
            style = "green" if envelope.status is Status.CONVERGED else "red"
            cells = [show(envelope) if envelope.result else "" for _, show in self._columns]
            table.add_row(escape(envelope.item), f"[{style}]{envelope.status}[/]", *cells)
        console = output_console()
        console.print(table)
        for envelope in self._envelopes:
            if envelope.status is not Status.CONVERGED:
                console.print(f"[bold]{escape(envelope.item)}[/]: {escape(envelope.message)}", soft_wrap=True)
        written = sum(envelope.result is not None for envelope in self._envelopes)
        console.print(f"{written} of {len(self._envelopes)} written to {escape(where)}", soft_wrap=True)
