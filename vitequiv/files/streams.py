"""Reading a table or a list that may be long, row by row: of a file, or of a pipe that somebody writes to."""

from __future__ import annotations

import io
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vitequiv.files.reading import FileError, open_unwaiting

GRACE = 2.0
"""Seconds in which somebody has to open the other end of a pipe; after that it is waited for, as it may have to be."""
POLL = 0.05
CHUNK = 1 << 16


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe, such as `<(...)` gives."""
    try:
        return stat.S_ISFIFO(path.stat().st_mode)
    except (OSError, ValueError):
        return False


def open_stream(path: Path, limit: int) -> BinaryIO:
    """Open a regular file or a pipe, to be read once.

    Args:
        path: The file.
        limit: The most bytes that come of it.

    Returns:
        The file; its reading raises a `FileError` once there is more.

    Raises:
        NoFileError: If there is none.
        FileError: If it is a folder or a device, or a pipe that nobody writes to.
    """
    file = open_unwaiting(path)
    try:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISREG(mode):
            first = b""
        elif stat.S_ISFIFO(mode):
            first = _first_of_pipe(file)
        else:
            raise FileError("it is a device, not a file or a pipe")
        os.set_blocking(file.fileno(), True)
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(_Bounded(file, first, limit), CHUNK)


def _first_of_pipe(file: BinaryIO) -> bytes:
    """What a pipe holds already, once somebody has opened its other end."""
    deadline = time.monotonic() + GRACE
    while True:
        try:
            if data := os.read(file.fileno(), CHUNK):
                return data
        except BlockingIOError:
            return b""
        if time.monotonic() > deadline:
            raise FileError("it is a pipe that nobody writes to")
        time.sleep(POLL)


class _Bounded(io.RawIOBase):
    """What has been read already and the rest of a file, up to a number of bytes."""

    def __init__(self, file: BinaryIO, first: bytes, limit: int) -> None:
        self._file = file
        self._first = first
        self._left = limit
        self._limit = limit

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is wider
        """Read some bytes."""
        if self._first:
            data, self._first = self._first[: len(buffer)], self._first[len(buffer) :]
        else:
            data = self._file.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise FileError(f"it has more than the {self._limit:,} bytes that are read")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


def bounded_lines(file: BinaryIO, limit: int) -> Iterator[bytes | None]:
    """Read lines.

    Args:
        file: A file, buffered.
        limit: The most bytes of a line, its break among them.

    Yields:
        Each line with its break; None for one that is longer, which is passed over.
    """
    while line := file.readline(limit):
        if len(line) < limit or line.endswith(b"\n"):
            yield line
            continue
        while (rest := file.readline(CHUNK)) and not rest.endswith(b"\n"):
            pass
        yield None
