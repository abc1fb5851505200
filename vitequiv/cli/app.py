"""The `vitequiv` command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from vitequiv._version import __version__
from vitequiv.cli import classify, interpolate, jacobian, ldlc, match, models, plugins, report, scenes, statistics
from vitequiv.cli.console import print_error
from vitequiv.cli.streams import ReaderGone, finish_output, guard_streams, settle_output
from vitequiv.errors import ExitCode, ResourceError, VitequivError
from vitequiv.runs.interrupt import Interrupted, listen, over, seen
from vitequiv.variables import Variable

app = typer.Typer(
    name="vitequiv",
    help="Measure the equivalence structure of image encoders' embedding spaces.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
app.command("match")(match.match)
app.command("jacobian")(jacobian.jacobian)
app.command("ldlc")(ldlc.ldlc)
app.command("interpolate")(interpolate.interpolate)
app.command("classify")(classify.classify)
app.command("statistics")(statistics.statistics)
app.command("scenes")(scenes.scenes)
app.command("report")(report.report)
app.add_typer(models.app, name="models")
app.add_typer(plugins.app, name="plugins")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vitequiv {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Measure the equivalence structure of image encoders' embedding spaces."""
    del version


def main() -> None:
    """Run the command; the process ends here, with one of `ExitCode`, and never with a traceback."""
    listen()
    try:
        _run()
    finally:
        over()


def _run() -> None:
    try:
        guard_streams()
        try:
            app()
        finally:
            finish_output()
    except VitequivError as error:
        print_error(error.message)
        settle_output()
        sys.exit(error.exit_code)
    except Interrupted:
        seen()
        print_error("Interrupted.")
        sys.exit(ExitCode.INTERRUPTED)
    except ReaderGone:
        settle_output()
        sys.exit(ExitCode.READER_GONE)
    except Exception as error:
        if os.environ.get(Variable.DEBUG):
            raise
        text = " ".join(str(error).split())
        if _lacks_memory(error):
            print_error(f"The memory ran out ({text or type(error).__name__}): free some, or choose a smaller model.")
            sys.exit(ResourceError.exit_code)
        print_error(f"This is a bug in vitequiv ({type(error).__name__}: {text}): set {Variable.DEBUG}=1 to see where.")
        sys.exit(ExitCode.INTERNAL)


def _lacks_memory(error: Exception) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from vitequiv.memory import is_out_of_memory

    return is_out_of_memory(error)
