"""Ctrl-C and SIGTERM: they end the work in hand at a place where nothing is lost, a second one ends at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from vitequiv.errors import ExitCode

SAME_PRESS = 0.5
"""Seconds within which a second signal is the same one come by another way, as from a shell and from `timeout`."""
AGAIN = 0.5
"""Seconds after which `Interrupted` is raised again where nobody has seen it: Python drops what is raised while an
object is being cleared away, as in a callback of a weak reference."""


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not KeyboardInterrupt, which Typer would turn into a silent exit."""


@dataclass
class _State:
    asked_at: float | None = None
    shielded: bool = False
    seen: bool = False
    over: bool = False
    hook: Callable[[sys.UnraisableHookArgs], object] = sys.__unraisablehook__


_state = _State()


def listen() -> None:
    """Handle SIGINT and SIGTERM from now on; to be called in the main thread."""
    _state.asked_at = None
    _state.shielded = False
    _state.seen = False
    _state.over = False
    if sys.unraisablehook is not _drop_quietly:
        _state.hook, sys.unraisablehook = sys.unraisablehook, _drop_quietly
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, _on_alarm)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    del number, frame
    if _state.over:
        return
    now = time.monotonic()
    if _state.asked_at is not None:
        if now - _state.asked_at > SAME_PRESS:
            os._exit(ExitCode.INTERRUPTED)
        return
    _state.asked_at = now
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, AGAIN, AGAIN)
    if not _state.shielded:
        raise Interrupted


def _on_alarm(number: int, frame: FrameType | None) -> None:
    del number, frame
    if _state.asked_at is not None and not _state.seen and not _state.shielded:
        raise Interrupted


def _drop_quietly(dropped: sys.UnraisableHookArgs) -> None:
    """Python's own word about an exception that it drops, but for `Interrupted`, which comes again."""
    if not isinstance(dropped.exc_value, Interrupted):
        _state.hook(dropped)


def seen() -> None:
    """Note that `Interrupted` has arrived, so that it does not come again."""
    _state.seen = True
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, 0)


def over() -> None:
    """Let signals pass from now on: the process ends by itself, with the exit code of what it did.

    While Python clears up, which takes seconds where torch was imported, it would let a signal kill the process.
    """
    _state.over = True
    seen()
    atexit.unregister(_ignore)
    atexit.register(_ignore)


def _ignore() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # which Python, unlike a handler, leaves alone at its end


def check() -> None:
    """Stop here if it was asked for.

    Raises:
        Interrupted: If a signal has come.
    """
    if _state.asked_at is not None:
        seen()  # nothing drops what is raised here
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

    Raises:
        Interrupted: If a signal has come, or comes.
    """
    before, _state.shielded = _state.shielded, False
    try:
        check()
        yield
    except Interrupted:
        seen()
        raise
    finally:
        _state.shielded = before
