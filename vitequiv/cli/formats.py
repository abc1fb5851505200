"""What standard output carries."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What standard output carries."""

    HUMAN = "human"
    JSON = "json"
