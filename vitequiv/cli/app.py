"""The `vitequiv` command."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from vitequiv._version import __version__
from vitequiv.cli import classify, interpolate, jacobian, ldlc, match, models, report, scenes, statistics
from vitequiv.cli.console import print_error
from vitequiv.errors import ExitCode, VitequivError

DEBUG_VARIABLE = "VITEQUIV_DEBUG"

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


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; not KeyboardInterrupt, which Typer would turn into a silent exit."""


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
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        app()
    except VitequivError as error:
        print_error(error.message)
        sys.exit(error.exit_code)
    except Interrupted:
        print_error("Interrupted: the items that were complete are in the output directory.")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader of our standard output has gone (`| head`); keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.OK)
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        text = " ".join(str(error).split())
        print_error(f"This is a bug in vitequiv ({type(error).__name__}: {text}): set {DEBUG_VARIABLE}=1 to see where.")
        sys.exit(ExitCode.INTERNAL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Interrupted
