"""`python -m vitequiv`, and the installed command."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command, and leave without a traceback if it is interrupted before it has begun."""
    # Before anything else is imported: a signal in the first tenth of a second meets no handler but these.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    from vitequiv.cli.app import main as run

    run()


def _leave(number: int, frame: FrameType | None) -> None:
    del number, frame
    sys.stderr.write("Error: Interrupted.\n")
    sys.stderr.flush()
    os._exit(130)  # there is nothing to save yet, and an exception could be lost in an import


if __name__ == "__main__":
    main()
