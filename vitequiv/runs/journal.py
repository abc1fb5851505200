"""`results.jsonl`: a line for each item that ended, appended, never changed."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from vitequiv.errors import OutputError
from vitequiv.files.reading import MAX_JSON_BYTES, FileError, parse_json
from vitequiv.files.streams import bounded_lines
from vitequiv.results.envelope import Envelope
from vitequiv.results.versions import schema_name
from vitequiv.runs.inside import require_own_file


class Journal:
    """The run directory's list of what ended, shared by the verbs.

    Args:
        path: The file; made if it is not there, and mended if its last line was torn by a kill.
        verb: The verb that appends.
        known: Whether to read which lines are there already, so that they are not written twice.

    Raises:
        OutputError: If it cannot be opened.
    """

    def __init__(self, path: Path, verb: str, known: bool) -> None:
        self._path = path
        self._schema = schema_name(verb)
        self._known: dict[str, bytes] = {}
        try:
            require_own_file(path)
            mend(path)
            if known and path.exists():
                self._read()
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        except OSError as error:
            raise self._refusal(error) from None

    def append(self, envelope: Envelope) -> None:
        """Write an item's line, and wait until it is on the disk; nothing if it is there from an earlier run.

        Args:
            envelope: The item.

        Raises:
            OutputError: If it cannot be written; no part of it stays.
        """
        line = json.dumps(envelope.to_dict(), allow_nan=False).encode() + b"\n"
        if self._known and self._known.pop(envelope.item, None) == _digest(line):
            return
        size = os.fstat(self._descriptor).st_size
        written = 0
        try:
            while written < len(line):
                written += os.write(self._descriptor, line[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            with suppress(OSError):  # else it is mended when it is opened next
                os.ftruncate(self._descriptor, size)
            raise self._refusal(error) from None

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _read(self) -> None:
        with self._path.open("rb") as file:
            for line in bounded_lines(file, MAX_JSON_BYTES):
                with suppress(ValueError):  # what is not ours stays
                    record = {} if line is None else parse_json(line)
                    if line and isinstance(record, dict) and record.get("schema") == self._schema:
                        self._known[str(record.get("item"))] = _digest(line)

    def _refusal(self, error: OSError) -> OutputError:
        return OutputError(
            f"The list of results {self._path} cannot be written: {error.strerror}; make room, then run the same "
            "command with --resume."
        )


def mend(path: Path) -> None:
    """Drop a last line that a kill tore; end one that only lacks its line break.

    Args:
        path: The list; nothing happens if it is not there.
    """
    try:
        file = path.open("r+b")
    except FileNotFoundError:
        return
    with file:
        end = begin = file.seek(0, os.SEEK_END)
        parts: list[bytes] = []
        while begin and end - begin < MAX_JSON_BYTES and not (parts and b"\n" in parts[-1]):
            step = min(begin, 65536)
            begin -= step
            file.seek(begin)
            parts.append(file.read(step))
        _, found, last = b"".join(reversed(parts)).rpartition(b"\n")
        if not last:
            return
        try:
            if found or not begin:  # a longer one is none of ours: it is only ended
                parse_json(last)
        except FileError:
            file.truncate(end - len(last))
        else:
            file.seek(end)
            file.write(b"\n")
        file.flush()
        os.fsync(file.fileno())


def _digest(line: bytes) -> bytes:
    return hashlib.blake2b(line, digest_size=16).digest()
