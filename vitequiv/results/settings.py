"""A setting and where its value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vitequiv.results.marks import Plain


class Source(StrEnum):
    """Where a setting's value came from; a flag beats the configuration file, which beats the default.

    What a row of a pairs file says is of that item alone.
    """

    FLAG = "flag"
    CONFIG = "config"
    DEFAULT = "default"
    PAIRS = "pairs"


@dataclass(frozen=True)
class Setting:
    """One option's value and its source.

    Args:
        value: The value; null for an option that was not given and has no default.
        source: Where it came from.
    """

    value: Plain
    source: Source
