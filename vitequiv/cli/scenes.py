"""`vitequiv scenes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitequiv.cli import options
from vitequiv.cli.console import print_note
from vitequiv.errors import UsageError


def scenes(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write, a folder a class.")],
    count: Annotated[int, typer.Option(min=1, help="Scenes in all, spread evenly over the 64 classes.")] = 512,
    size: Annotated[int, typer.Option(min=16, max=4096, help="Height and width in pixels.")] = 64,
    seed: options.Seed = 0,
    quiet: options.Quiet = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write into a folder that is not empty.")] = False,
) -> None:
    """Render scenes that the tiny models know but were not trained on: images with classes, without a network."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory} is a file: name a folder to write to.")
    if directory.is_dir() and any(directory.iterdir()) and not overwrite:
        raise UsageError(f"The folder {directory} is not empty: name another, or write into it with --overwrite.")

    from vitequiv.tiny.render import write_scenes

    paths = write_scenes(directory, count, seed, size)
    if not quiet:
        folders = len({path.parent for path in paths})
        print_note(f"{len(paths)} scenes of {folders} classes written to {directory}.")
