"""The two streams: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console
from rich.text import Text

from vitequiv.images.naming import shown
from vitequiv.results.envelope import jsonable
from vitequiv.results.versions import schema_name

PIPED_WIDTH = 160


class _Console(Console):
    """A console on which text is only text: no `:smile:` becomes a picture, and no file name steers the terminal."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Render a string with our own markup; what cannot be printed in it is escaped, as `shown` does."""
        return super().render_str(_printable(text), **options)


def _printable(text: str) -> str:
    """Text whose lines can be printed, as `shown` writes them."""
    return "\n".join(shown(line) if line else "" for line in text.split("\n"))


def error_console() -> Console:
    """A console on standard error, for progress, notes and errors."""
    return _Console(stderr=True, highlight=False, emoji=False)


def output_console() -> Console:
    """A console on standard output; where no terminal decides on the width, COLUMNS does, else it is wide."""
    free = sys.stdout.isatty() or "COLUMNS" in os.environ
    return _Console(highlight=False, emoji=False, width=None if free else PIPED_WIDTH)


def is_watched(console: Console) -> bool:
    """Whether somebody sees the console change: FORCE_COLOR asks for colours in a file, not for bars."""
    return console.file.isatty() and not console.is_dumb_terminal


def print_error(message: str) -> None:
    """Print one sentence about what went wrong."""
    # Not as markup, whose `escape` loses a backslash before a bracket: commands in messages are there to be copied.
    error_console().print(Text.assemble(("Error:", "bold red"), " ", _printable(message)), soft_wrap=True)


def print_note(message: str) -> None:
    """Print one sentence that the user should know."""
    error_console().print(Text(_printable(message), "dim"), soft_wrap=True)


def print_json(value: object) -> None:
    """Print one JSON object on a line of its own, in ASCII: file names need not be UTF-8, JSON must."""
    sys.stdout.write(json.dumps(jsonable(value), allow_nan=False) + "\n")
    sys.stdout.flush()


def print_record(kind: str, record: object) -> None:
    """Print one record on a line of its own, with the name of its schema before it.

    Args:
        kind: The name in the schema `vitequiv/<kind>/1`.
        record: A dataclass.
    """
    print_json({"schema": schema_name(kind), **jsonable(record)})
