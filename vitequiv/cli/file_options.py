"""The options of `match` about the file that is written."""

from __future__ import annotations

from typing import Annotated

import typer

from vitequiv.errors import UsageError
from vitequiv.matching.names import Init, SpaceName

PANEL = "File"

Space = Annotated[
    SpaceName,
    typer.Option(
        "--space",
        help="Change what the model sees, at its input size (the paper's setting), or the image at its own resolution, "
        "through the model's resize and crop.",
        rich_help_panel=PANEL,
    ),
]
Jpeg = Annotated[
    int | None,
    typer.Option(
        "--jpeg",
        metavar="QUALITY",
        min=1,
        max=100,
        help="Match as a JPEG of this quality, 1 to 100: writes matched.jpg beside matched.png, and the goal must "
        "hold for it; limits and sizes of the change are of matched.png. Needs kornia: pip install 'vitequiv\\[jpeg]'.",
        show_default=False,
        rich_help_panel=PANEL,
    ),
]


def check_space(space: SpaceName, init: Init) -> None:
    """Refuse a picture's own resolution where there is no picture.

    Args:
        space: As given.
        init: Where the match starts.

    Raises:
        UsageError: If there is no source.
    """
    if space is SpaceName.IMAGE and init is Init.NOISE:
        raise UsageError("--space image works at the resolution of a source, and --init noise has none: leave out one.")
