"""One figure and one page from the folders of earlier runs."""

from __future__ import annotations

from pathlib import Path

from vitequiv.images.save import atomic_write_bytes
from vitequiv.plots.report import report_png
from vitequiv.results.report import ReportRecord
from vitequiv.runs.report_data import collect
from vitequiv.runs.report_html import report_html

PNG_NAME, HTML_NAME = "report.png", "report.html"


def write_report(directory: Path, out: Path) -> ReportRecord:
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
    return ReportRecord(
        tuple(files),
        matches=sum(len(model.matches) for model in report.models),
        classifications=sum(len(model.classes) for model in report.models),
        statistics=sum(len(model.statistics) for model in report.models),
        failures=len(report.failures),
    )
