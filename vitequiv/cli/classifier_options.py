"""The options that name a classifier, shared by `classify` and `statistics`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vitequiv.cli.completion import model_names
from vitequiv.cli.options import MODEL

PANEL = "Classifier"

Models = Annotated[
    list[str],
    typer.Option(
        "--model",
        metavar="SPEC",
        help="Encoder, NAME or NAME:CHECKPOINT; again for more, one after the other. See 'vitequiv models list'.",
        autocompletion=model_names,
        rich_help_panel=MODEL,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        metavar="LIST",
        help="Class names, separated by commas, for models that read text (clip, tiny-clip).",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
LabelsFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Class names, one a line.", show_default=False, rich_help_panel=PANEL),
]
Template = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="Sentence with {} for the class name; again for more, which are averaged. By default 'a photo of a {}.'.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
Head = Annotated[bool, typer.Option("--head", help="The checkpoint's own classifier.", rich_help_panel=PANEL)]
Prototypes = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="A folder of images a class; an image's class is the nearest class mean. For every model.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option(
        help="Of the softmax over cosines; by default the checkpoint's own (text), else 0.01.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
