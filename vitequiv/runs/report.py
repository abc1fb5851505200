"""One figure and one page from the folders of earlier runs."""

from __future__ import annotations

from pathlib import Path

from vitequiv.images.save import atomic_write_bytes
from vitequiv.results.report import ReportRecord
from vitequiv.runs.failures import reason
from vitequiv.runs.report_data import ModelView, collect
from vitequiv.runs.report_html import report_page

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
    figure, undrawn = _figure(pictured) if pictured else (None, [])
    page = report_page(report, undrawn)
    if figure is not None:
        files.insert(0, out / PNG_NAME)
        atomic_write_bytes(out / PNG_NAME, figure)
    atomic_write_bytes(out / HTML_NAME, page.html.encode("ascii"))
    return ReportRecord(
        tuple(files),
        matches=sum(len(model.matches) for model in report.models),
        classifications=sum(len(model.classes) for model in report.models),
        statistics=sum(len(model.statistics) for model in report.models),
        failures=len(page.failures),
    )


def _figure(models: list[ModelView]) -> tuple[bytes | None, list[tuple[str, str]]]:
    """The figure, or none; and what of it could not be drawn."""
    try:
        from vitequiv.plots.report import report_png

        figure, left_out = report_png(models)
    except Exception as error:
        return None, [(PNG_NAME, f"the figure cannot be drawn: {reason(error)}")]
    return figure, [(PNG_NAME, f"{what} cannot be drawn") for what in left_out]
