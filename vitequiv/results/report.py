"""What `vitequiv report` says with `--format json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ReportRecord:
    """What a report covers.

    Args:
        files: The files written.
        matches: Matches in it.
        classifications: Classifications.
        statistics: Statistics of random pairs.
        failures: What failed or could not be shown.
    """

    files: tuple[Path, ...]
    matches: int
    classifications: int
    statistics: int
    failures: int
