"""The options that verbs share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vitequiv.cli.config import config_callback
from vitequiv.cli.console import print_note
from vitequiv.cli.formats import Format
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
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Seed of everything random.", rich_help_panel=RUN)]
BatchSize = Annotated[int, typer.Option(min=1, help="Items worked on together.", rich_help_panel=RUN)]
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


def note_default_model(model: Setting, quiet: bool) -> None:
    """Say which model is used where none was named, and what else there is."""
    if model.source is Source.DEFAULT and not quiet:
        print_note(
            f"No --model given: using {model.value}, a small model that comes with vitequiv. "
            "Pretrained choices: clip, beit, swin, deit, vitmae, vitmsn, timm:NAME, hf:REPO_OR_DIR."
        )
