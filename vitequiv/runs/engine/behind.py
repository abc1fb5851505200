"""Writing results while the next ones are computed: one thread, in the order of the work list."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from vitequiv.results.envelope import Envelope
from vitequiv.runs.engine.keep import Keeper


@dataclass(frozen=True, eq=False)
class Written:
    """An item has ended and is recorded."""

    envelope: Envelope


@dataclass(frozen=True, eq=False)
class Lost:
    """Results cannot be recorded any more, for this reason: the run has to end."""

    error: BaseException


class Behind:
    """A thread that writes.

    Args:
        keeper: Where items are recorded once written.
        inbox: Told `Written` for each, in order; or `Lost`, after which nothing more is written.
    """

    def __init__(self, keeper: Keeper, inbox: queue.Queue[Any]) -> None:
        self._keeper = keeper
        self._inbox = inbox
        self._work: queue.SimpleQueue[Callable[[], Envelope] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="vitequiv-write", daemon=True)
        self._thread.start()

    def put(self, write: Callable[[], Envelope]) -> None:
        """Write one item, after those put before; `write` does not raise."""
        self._work.put(write)

    def close(self) -> None:
        """End when all is written, and wait for that."""
        self._work.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (write := self._work.get()) is not None:
            try:
                envelope = write()
                del write  # it holds the result
                self._keeper.append(envelope)
            except BaseException as error:
                self._inbox.put(Lost(error))
                return
            self._inbox.put(Written(envelope))
            del envelope
