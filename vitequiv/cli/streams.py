"""The process's three streams, made safe to use whatever they were started with: closed, full, or with no reader."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from vitequiv.errors import OutputError, UsageError

if TYPE_CHECKING:
    from typing_extensions import Buffer

ESCAPED = "backslashreplace"
r"""What the stream's encoding lacks is written as `\xe9` or `\udce9`, as `shown` writes what cannot be printed."""


class ReaderGone(BaseException):
    """Nobody reads standard output any more (`| head`); no item failed of it, so that no item's guard may catch it."""


class _Results(io.FileIO):
    """Standard output: what cannot be written is an error of ours, told from those of other files."""

    def write(self, data: Buffer, /) -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise ReaderGone from None
        except OSError as error:
            raise OutputError(
                f"Standard output cannot be written ({error.strerror}): what is complete is in the output directory."
            ) from None


class _Remarks(io.FileIO):
    """Standard error: a remark that nobody can get is no reason to stop."""

    def write(self, data: Buffer, /) -> int:
        with suppress(OSError):
            return super().write(data) or 0
        return memoryview(data).nbytes


def guard_streams() -> None:
    """Prepare `sys.stdin`, `sys.stdout` and `sys.stderr`; streams that a test or an embedding put there are left alone.

    Raises:
        UsageError: If standard output is closed.
    """
    closed = _occupy()
    if sys.stderr is None:
        sys.stderr = _nowhere()
    elif _is_descriptor(sys.stderr, 2):
        sys.stderr = _wrap(_Remarks(2, "w", closefd=False), sys.stderr.encoding)
    if 1 in closed:
        sys.stdout = _nowhere()
        raise UsageError("Standard output is closed: send it somewhere, such as > /dev/null.")
    if _is_descriptor(sys.stdout, 1):
        sys.stdout = _wrap(_Results(1, "w", closefd=False), sys.stdout.encoding)
    if isinstance(sys.stdin, io.TextIOWrapper):
        # File names are bytes: what is not UTF-8 has to come through as Python writes file names.
        sys.stdin.reconfigure(encoding=sys.getfilesystemencoding(), errors=sys.getfilesystemencodeerrors())


def finish_output() -> None:
    """Write what is still held back; fails as any writing to standard output does."""
    sys.stdout.flush()


def settle_output() -> None:
    """Write what is still held back; where that fails, give standard output up, lest it fail again later."""
    try:
        finish_output()
    except (ReaderGone, OutputError, OSError, ValueError):
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def _occupy() -> set[int]:
    """Fill the places of closed streams, lest a file opened later take them and get what is written to a stream."""
    closed = set()
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            closed.add(descriptor)
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    return closed


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


def _is_descriptor(stream: TextIO, number: int) -> bool:
    with suppress(OSError, ValueError, AttributeError):
        return isinstance(stream, io.TextIOWrapper) and stream.fileno() == number
    return False


def _wrap(raw: io.FileIO, encoding: str) -> TextIO:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, ESCAPED, line_buffering=True)
