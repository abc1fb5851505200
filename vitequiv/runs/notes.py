"""What the library logs as warnings, said as the notes of a run are said."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def told(say: Callable[[str], None]) -> Iterator[None]:
    """Say what the library logs.

    Args:
        say: Told each warning.

    Yields:
        Nothing.
    """
    logger, handler = logging.getLogger("vitequiv"), _Notes(say)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say(record.getMessage())
