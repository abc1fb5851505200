"""The two streams: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.markup import escape

from vitequiv.results.envelope import jsonable

PIPED_WIDTH = 160


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
    """Print one JSON object on a line of its own, in ASCII: file names need not be UTF-8, JSON must."""
    sys.stdout.write(json.dumps(jsonable(value), allow_nan=False) + "\n")
    sys.stdout.flush()
