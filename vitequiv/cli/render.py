"""The one place that shows results: a table for people, a JSON object a line for programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from vitequiv.cli.console import output_console, print_json
from vitequiv.cli.formats import Format
from vitequiv.results.envelope import Envelope
from vitequiv.results.status import Status

Column = tuple[str, Callable[[Envelope], str]]
"""A table column: its heading and what it shows of an item that has a result."""


def cell(value: Any, form: str) -> str:
    """Show a number.

    Args:
        value: The number; None if there is none.
        form: Its format.

    Returns:
        The text; a hyphen for None, NaN and infinity, such as the PSNR of no change.
    """
    return "-" if value is None or not math.isfinite(value) else format(value, form)


@dataclass(frozen=True)
class _Row:
    """What the table keeps of an item; the rest is on disk."""

    item: str
    status: Status
    cells: tuple[str, ...]
    message: str
    notes: tuple[str, ...]
    written: bool


class Renderer:
    """Shows the items of a run as they end, and a table or nothing more at the end.

    Args:
        output_format: JSON lines, each as its item ends; or a table when all have.
        columns: The table's columns beside item and status.
    """

    def __init__(self, output_format: Format, columns: Sequence[Column]) -> None:
        self._format = output_format
        self._columns = columns
        self._rows: list[_Row] = []
        self._all_converged = True

    def item(self, envelope: Envelope) -> None:
        """Take an item that has ended."""
        self._all_converged &= envelope.status is Status.CONVERGED
        if self._format is Format.JSON:
            print_json(envelope.to_dict())
            return
        cells = tuple(show(envelope) if envelope.result else "" for _, show in self._columns)
        message = "" if envelope.status is Status.CONVERGED else envelope.message
        self._rows.append(
            _Row(envelope.item, envelope.status, cells, message, envelope.notes, envelope.result is not None)
        )

    @property
    def all_converged(self) -> bool:
        """Whether every item so far has met its goal."""
        return self._all_converged

    def finish(self, where: str) -> None:
        """Print the table, and below it a sentence for each item that did not converge."""
        if self._format is Format.JSON:
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("item", overflow="fold")
        table.add_column("status")
        for heading, _ in self._columns:
            table.add_column(heading, justify="right")
        for row in self._rows:
            style = "green" if row.status is Status.CONVERGED else "red"
            table.add_row(escape(row.item), f"[{style}]{row.status}[/]", *row.cells)
        console = output_console()
        console.print(table)
        for row in self._rows:
            for text in (*([row.message] if row.message else []), *row.notes):
                console.print(f"[bold]{escape(row.item)}[/]: {escape(text)}", soft_wrap=True)
        written = sum(row.written for row in self._rows)
        console.print(f"{written} of {len(self._rows)} written to {escape(where)}", soft_wrap=True)
