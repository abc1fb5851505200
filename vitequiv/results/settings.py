"""A setting and where its value came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """Where a setting's value came from; a flag beats the configuration file, which beats the default."""

    FLAG = "flag"
    CONFIG = "config"
    DEFAULT = "default"


@dataclass(frozen=True)
class Setting:
    """One option's value and its source."""

    value: Any
    source: Source
