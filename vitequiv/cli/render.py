"""The one place that shows results: a table for people, a JSON object a line for programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.markup import escape
from rich.table import Table

from vitequiv.cli.console import output_console, print_json
from vitequiv.cli.formats import Format
from vitequiv.results.envelope import Envelope
from vitequiv.results.status import Status

Column = tuple[str, Callable[[Envelope], str]]
"""A table column: its heading and what it shows of an item that has a result."""


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
