"""`vitequiv report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitequiv.cli import options
from vitequiv.cli.console import output_console, print_record
from vitequiv.cli.formats import Format


def report(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Results of match, classify or statistics.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Where to write report.png and report.html; by default beside the results. Replaces an older report.",
            show_default=False,
        ),
    ] = None,
    output_format: options.OutputFormat = Format.HUMAN,
) -> None:
    """Draw saved results as one figure (the paper's Fig. 1) and one HTML page that needs no network."""
    # Imported here, so that help does not wait for matplotlib.
    from rich.markup import escape

    from vitequiv.runs.report import write_report
    from vitequiv.runs.report_html import counted

    written = write_report(directory, out or directory)
    if output_format is Format.JSON:
        print_record("report", written)
        return
    files = " and ".join(str(path) for path in written.files)
    found = counted(written.matches, written.classifications, written.statistics, written.failures)
    output_console().print(f"{found}: {escape(files)}", soft_wrap=True)
