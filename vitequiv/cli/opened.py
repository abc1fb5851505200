"""A run directory, from the options that ask for it to the line that says how to go on after an interrupt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vitequiv.cli import options
from vitequiv.cli.again import way_on
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import print_error, print_note
from vitequiv.cli.formats import Format
from vitequiv.errors import ExitCode, UsageError
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.cluster.choice import Wish
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.interrupt import Interrupted, check, seen, shielded
from vitequiv.runs.notes import told

if TYPE_CHECKING:
    from vitequiv.runs.store import Existing


@dataclass(frozen=True)
class Asked:
    """The options that every verb with a run directory has.

    Args:
        context: The verb's context.
        verb: The verb.
        out: Where to write.
        output_format: What to print.
        quiet: No progress and no notes.
        overwrite: Replace results that are there; false where --resume was typed and the configuration file sets this.
        resume: Keep results that are there and would come out again; false where it is the other way round.
        model: The model's setting.
        device: Where to compute.
        ray: What is wished of Ray; None to compute in this process.

    Raises:
        UsageError: If both are typed, or the configuration file sets both.
    """

    context: typer.Context
    verb: str
    out: Path
    output_format: Format
    quiet: bool
    overwrite: bool
    resume: bool
    model: Setting
    device: str = "auto"
    ray: Wish | None = None

    def __post_init__(self) -> None:
        if not (self.overwrite and self.resume):
            return
        given = settings_of(self.context, {"overwrite": True, "resume": True})
        typed = [name for name, setting in given.items() if setting.source is Source.FLAG]
        if len(typed) == 2:
            raise UsageError("--overwrite replaces results and --resume keeps them: give one of them.")
        if not typed:
            raise UsageError(
                "The configuration file sets overwrite, which replaces results, and resume, which keeps them: set one "
                "of them, or type --overwrite or --resume."
            )
        # What is typed beats the file, as for every option.
        object.__setattr__(self, "resume" if typed == ["overwrite"] else "overwrite", False)

    @property
    def existing(self) -> Existing:
        """What to do with results that are there."""
        from vitequiv.runs.store import Existing

        return Existing.OVERWRITE if self.overwrite else Existing.RESUME if self.resume else Existing.REFUSE

    def say(self, message: str) -> None:
        """Print a note, unless notes are not wanted."""
        if not self.quiet:
            print_note(message)


@contextmanager
def opened(asked: Asked, names: Callable[[], Iterator[str]] | None) -> Iterator[RunDirectory]:
    """Lock and make the run directory, and say how to resume if the run is interrupted.

    Args:
        asked: The options.
        names: The items' names, if they are known before the run.

    Yields:
        The directory.

    Raises:
        UsageError: If it is in use, cannot be written to, or holds results and nobody said what to do with them.
        Exit: With the code of an interrupt.
    """
    from vitequiv.runs.lock import hold

    with hold(asked.out):
        directory = RunDirectory(asked.out, asked.verb)
        directory.prepare(names() if names else (), asked.overwrite, asked.resume)
        options.note_default_model(asked.model, asked.quiet)
        try:
            with shielded():  # an exception in the midst of this import can abort the process, for it runs through C++
                import torch  # noqa: F401
            check()
            with told(asked.say):
                yield directory
        except Interrupted:
            seen()
            print_error(f"Interrupted: all items that ended are in {asked.out}; {way_on(asked.context)}")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
