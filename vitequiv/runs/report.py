"""One figure and one page from the folders of earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitequiv.images.save import atomic_write_bytes
from vitequiv.plots.report import report_png
from vitequiv.runs.report_data import collect
from vitequiv.runs.report_html import counted, report_html

PNG_NAME, HTML_NAME = "report.png", "report.html"


@dataclass(frozen=True)
class Written:
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

    @property
    def sentence(self) -> str:
        """What it covers, in words."""
        return counted(self.matches, self.classifications, self.statistics, self.failures)


def write_report(directory: Path, out: Path) -> Written:
    """Write the report of a directory.

    Args:
        directory: A folder with results of earlier runs, at any depth.
        out: Where to write; a report that is there is replaced.

    Returns:
        What was written.
    """
    report = collect(directory)
    files = [out / HTML_NAME]
    pictured = [model for model in report.models if model.matches or model.classes]
    page = report_html(report)
    if pictured:
        files.insert(0, out / PNG_NAME)
        atomic_write_bytes(out / PNG_NAME, report_png(pictured))
    atomic_write_bytes(out / HTML_NAME, page.encode("ascii"))
    return Written(
        tuple(files),
        matches=sum(len(model.matches) for model in report.models),
        classifications=sum(len(model.classes) for model in report.models),
        statistics=sum(len(model.statistics) for model in report.models),
        failures=len(report.failures),
    )
