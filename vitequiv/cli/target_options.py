"""The options of `match` that name targets."""

from __future__ import annotations

from typing import Annotated

import typer

PANEL = "Target"

To = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TARGET",
        help="An image, folder, pattern or -; again for more: then every name is a SOURCE, and every source is matched "
        "to every target.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
TargetText = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="A sentence to match, for models that read text (clip, tiny-clip): then every name is a SOURCE.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
TargetEmbedding = Annotated[
    str | None,
    typer.Option(
        metavar="FILE[#TENSOR]",
        help="An embedding to match, from a safetensors file, such as matched.safetensors#embedding_target.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
TargetMean = Annotated[
    list[str] | None,
    typer.Option(
        metavar="IMAGES",
        help="An image, folder or pattern; again for more: their mean embedding is matched.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]
