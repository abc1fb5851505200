"""File names on standard input, each as soon as it has come."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import TextIO

CHUNK = 65536


def read_names(stdin: TextIO) -> Iterator[str]:
    """Read names, one a line or separated by NUL, as `find -print0` gives them.

    What separates them is decided by the first chunk that has a separator: NUL if there is one in it.

    Args:
        stdin: The stream.

    Yields:
        The names, without empty ones. Bytes that are not UTF-8 come through as Python writes file names.
    """
    rest, separator = b"", b""
    for chunk in _chunks(stdin):
        if not separator:
            separator = b"\0" if b"\0" in chunk else b"\n" if b"\n" in chunk else b""
        rest += chunk
        if separator:
            *whole, rest = rest.split(separator)
            yield from _decode(whole, separator)
    yield from _decode([rest], separator)


def _decode(names: list[bytes], separator: bytes) -> Iterator[str]:
    for name in names:
        if text := os.fsdecode(name if separator == b"\0" else name.removesuffix(b"\r")):
            yield text


def _chunks(stdin: TextIO) -> Iterator[bytes]:
    try:
        descriptor = stdin.fileno()
    except io.UnsupportedOperation:  # a stream in memory
        while text := stdin.read(CHUNK):
            yield os.fsencode(text)
        return
    # Past the stream's own buffer, which waits until it is full, and whose lock a waiting thread would keep at exit.
    while chunk := os.read(descriptor, CHUNK):
        yield chunk
