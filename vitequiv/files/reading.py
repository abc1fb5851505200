"""Reading whole files: regular ones alone, of a bounded size; JSON of a bounded depth too."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

MAX_JSON_BYTES = 1 << 28
"""A trajectory of a million rows has a tenth of this."""
MAX_TEXT_BYTES = 1 << 24
"""Of what a person writes, such as a configuration or names of classes."""
MAX_JSON_DEPTH = 64
"""Objects and lists within each other; ours have ten."""
TOO_DEEP = f"it is nested more than {MAX_JSON_DEPTH} deep"


class FileError(ValueError):
    """Why a file cannot be used: a clause for after a colon, such as "it is a device or pipe, not a file"."""


class NoFileError(FileError):
    """There is no file of this name."""


def open_unwaiting(path: Path) -> BinaryIO:
    """Open anything for reading without waiting for it, as the opening of a pipe waits for its writer.

    Args:
        path: The file.

    Returns:
        The file, not buffered.

    Raises:
        NoFileError: If there is none.
        FileError: If the system refuses, or it is a folder.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            return os.fdopen(descriptor, "rb", buffering=0)
        except BaseException:
            os.close(descriptor)
            raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoFileError(error.strerror) from None
    except OSError as error:
        raise FileError(error.strerror or str(error)) from None
    except ValueError:  # a null or half a letter in the name, which edited JSON can hold
        raise NoFileError("its name is none that a file can have") from None


def open_regular(path: Path, limit: int | None = None) -> BinaryIO:
    """Open a regular file.

    Args:
        path: The file.
        limit: The most bytes that it may have; None for any number.

    Returns:
        The file, not buffered.

    Raises:
        NoFileError: If there is none.
        FileError: If it is a folder, a device or a pipe, which could be waited for or read without end, or larger
            than the limit, or the system refuses.
    """
    file = open_unwaiting(path)
    try:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileError("it is a device or pipe, not a file")
        if limit is not None and status.st_size > limit:
            raise FileError(_too_large(limit))
    except BaseException:
        file.close()
        raise
    return file


def read_regular(path: Path, limit: int) -> bytes:
    """Read a regular file.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Returns:
        Its bytes.

    Raises:
        FileError: See `open_regular`.
    """
    with open_regular(path, limit) as file:
        parts, size = [], 0
        try:
            while part := file.read(min(1 << 20, limit + 1 - size)):
                parts.append(part)
                size += len(part)
                if size > limit:  # it has grown, or lies about its size as those of /proc do
                    raise FileError(_too_large(limit))
        except OSError as error:
            raise FileError(error.strerror or str(error)) from None
    return b"".join(parts)


def _too_large(limit: int) -> str:
    return f"it has more than the {limit:,} bytes that are read"


def read_text(path: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Read text in UTF-8, with or without a byte order mark.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Returns:
        The text.

    Raises:
        FileError: See `open_regular`; or it is not UTF-8.
    """
    try:
        return read_regular(path, limit).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"it is not text in UTF-8 (byte {error.start + 1:,})") from None


def parse_json(data: bytes) -> Any:
    """Read JSON.

    Args:
        data: JSON in UTF-8.

    Returns:
        What it holds.

    Raises:
        FileError: If it is no JSON, or nested deeper than `MAX_JSON_DEPTH`.
    """
    try:
        value = json.loads(data.decode("utf-8"))
    except RecursionError:
        raise FileError(TOO_DEEP) from None
    except UnicodeDecodeError:
        raise FileError("it is not text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise FileError(f"it is not JSON (line {error.lineno}, column {error.colno}: {error.msg})") from None
    except ValueError:  # Python's own limit on the digits of a whole number
        raise FileError("it holds a number that is too long") from None
    # Level by level, so that what comes after may recurse.
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        inner = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list))
        level = [part for parts in inner for part in parts if isinstance(part, dict | list)]
        if not level:
            return value
    raise FileError(TOO_DEEP)


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        limit: The most bytes that it may have.

    Returns:
        What it holds.

    Raises:
        NoFileError: If there is none.
        FileError: If it is no regular file of at most so many bytes, no JSON in UTF-8, or nested too deep.
    """
    return parse_json(read_regular(path, limit))


def sha256_of(path: Path) -> str:
    """Hash a regular file of any size.

    Args:
        path: The file.

    Returns:
        The SHA-256 of its bytes, in hexadecimal.

    Raises:
        FileError: See `open_regular`.
    """
    with open_regular(path) as file:
        try:
            made = hashlib.sha256()
            while part := file.read(1 << 20):
                made.update(part)
            return made.hexdigest()
        except OSError as error:
            raise FileError(error.strerror or str(error)) from None
