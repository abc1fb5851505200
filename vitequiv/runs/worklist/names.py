"""Names of items: plain file names, each but once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from vitequiv.runs.directory import JOURNAL_NAME, RECORD_SUFFIX

LONGEST_STEM = 80
"""Bytes; two of them and a number stay below the 255 that file systems allow."""


class Numbering:
    """Numbers the names that were met before, `-2`, `-3`, ..., compared without case, as some file systems do.

    Names of the run directory's own files count as met.
    """

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._last: dict[str, int] = {}

    def __call__(self, base: str) -> str:
        """Returns the name, numbered if need be, and remembers it."""
        count = self._last.get(base.casefold(), 0)
        while True:
            count += 1
            name = base if count == 1 else f"{base}-{count}"
            key = name.casefold()
            if key not in self._used and key != JOURNAL_NAME and not key.endswith(RECORD_SUFFIX):
                break
        self._last[base.casefold()] = count
        self._used.add(key)
        return name


def unique(names: Iterable[str]) -> list[str]:
    """Number the names that were met before; see `Numbering`.

    Args:
        names: Any names.

    Returns:
        As many, all different.
    """
    number = Numbering()
    return [number(name) for name in names]


RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
"""Names that Windows keeps for devices, also before a suffix."""


def plain(text: str) -> str:
    """A file name for any system.

    Args:
        text: Any text.

    Returns:
        Letters, digits and `_.+-` of bounded length, in one spelling of accents, so that file systems which do not tell
        spellings apart see what `unique` sees; no dot or dash at the front, no dot at the end, no device of Windows.
    """
    name = re.sub(r"[^\w.+-]+", "_", unicodedata.normalize("NFC", text)).lstrip(".-")
    name = name.encode()[:LONGEST_STEM].decode(errors="ignore").rstrip(".") or "item"
    return f"{name}_" if name.partition(".")[0].lower() in RESERVED else name
