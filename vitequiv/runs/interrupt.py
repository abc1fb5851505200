"""Ctrl-C and SIGTERM: they end the work in hand at a place where nothing is lost, a second one ends at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from vitequiv.errors import ExitCode

SAME_PRESS = 0.5
"""Seconds within which a second signal is the same one come by another way, as from a shell and from `timeout`."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not KeyboardInterrupt, which Typer would turn into a silent exit."""


@dataclass
class _State:
    asked_at: float | None = None
    shielded: bool = False


_state = _State()


def listen() -> None:
    """Handle SIGINT and SIGTERM from now on; to be called in the main thread."""
    _state.asked_at = None
    _state.shielded = False
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    del number, frame
    now = time.monotonic()
    if _state.asked_at is not None:
        if now - _state.asked_at > SAME_PRESS:
            os._exit(ExitCode.INTERRUPTED)
        return
    _state.asked_at = now
    if not _state.shielded:
        raise Interrupted


def check() -> None:
    """Stop here if it was asked for.

    Raises:
        Interrupted: If a signal has come.
    """
    if _state.asked_at is not None:
        raise Interrupted


@contextmanager
def shielded() -> Iterator[None]:
    """Hold signals back: the block asks for them itself, by `check` and `exposed`.

    Yields:
        Nothing.
    """
    before, _state.shielded = _state.shielded, True
    try:
        yield
    finally:
        _state.shielded = before


@contextmanager
def exposed() -> Iterator[None]:
    """Let a signal end a part of a shielded block at any moment.

    Yields:
        Nothing.
    """
    before, _state.shielded = _state.shielded, False
    try:
        check()
        yield
    finally:
        _state.shielded = before
