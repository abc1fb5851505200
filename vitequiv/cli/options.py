"""The options that verbs share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vitequiv.cli.completion import model_names
from vitequiv.cli.config import config_callback
from vitequiv.cli.console import print_note
from vitequiv.cli.formats import Format
from vitequiv.errors import UsageError
from vitequiv.results.settings import Setting, Source

RUN, MODEL, OUTPUT = "Run", "Model", "Output"


class DType(StrEnum):
    """Arithmetic of the network."""

    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BFLOAT16 = "bfloat16"


Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="SPEC",
        help="Encoder, NAME or NAME:CHECKPOINT: clip, beit, swin, deit, vitmae, vitmsn, timm:NAME, hf:REPO_OR_DIR, ... "
        "A directory works offline. See 'vitequiv models list'.",
        autocompletion=model_names,
        rich_help_panel=MODEL,
    ),
]
Readout = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Which vector is the embedding: cls, mean, pooler or projection; by default the family's own.",
        rich_help_panel=MODEL,
    ),
]
Device = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:0 or mps.", rich_help_panel=MODEL)]
Precision = Annotated[
    DType, typer.Option("--dtype", help="Arithmetic; bfloat16 means autocast.", rich_help_panel=MODEL)
]
Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Where to write, one folder an item.", rich_help_panel=OUTPUT)
]
OutputFormat = Annotated[
    Format,
    typer.Option("--format", help="Standard output: a table, or one JSON object a line.", rich_help_panel=OUTPUT),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no notes.", rich_help_panel=OUTPUT)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace results that are there.", rich_help_panel=OUTPUT)]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Keep results that are whole and would come out again, do the rest; the settings must be the same.",
        rich_help_panel=OUTPUT,
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of everything random.", rich_help_panel=RUN)]
BatchSize = Annotated[
    str,
    typer.Option(
        "--batch-size",
        metavar="N|auto",
        help="How many go through the network together; auto goes by the free memory.",
        rich_help_panel=RUN,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file of option defaults: at its top level for every verb, in a table for the verb of that name.",
        is_eager=True,
        callback=config_callback,
        rich_help_panel=RUN,
    ),
]


AUTO = "auto"


def parse_batch_size(text: str) -> int | None:
    """Read --batch-size.

    Args:
        text: A number from 1, or `auto`.

    Returns:
        The number; None for auto.

    Raises:
        UsageError: If it is neither.
    """
    if text == AUTO:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"--batch-size must be auto or a whole number from 1, got {text!r}.")
    return int(text)


def note_default_model(model: Setting, quiet: bool) -> None:
    """Say which model is used where none was named, and what else there is."""
    if model.source is Source.DEFAULT and not quiet:
        print_note(
            f"No --model given: using {model.value}, a small model that comes with vitequiv. "
            "Pretrained choices: clip, beit, swin, deit, vitmae, vitmsn, timm:NAME, hf:REPO_OR_DIR."
        )
