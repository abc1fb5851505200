"""Options whose values are names that plugins add to."""

from __future__ import annotations

from typing import Any

import typer

from vitequiv.cli.completion import solver_names
from vitequiv.plugins.kinds import Kind


def solver_option(panel: str, verb: str = "How to move") -> Any:
    """Make the option `--solver`.

    Args:
        panel: Where the help shows it.
        verb: What the solver does.

    Returns:
        What belongs into its `Annotated[str, ...]`.
    """
    return typer.Option(
        metavar="NAME",
        help=f"{verb}: nystrom, polyak, gd (the paper's), adam, lbfgs or a plugin's; see 'vitequiv plugins list'.",
        autocompletion=solver_names,
        rich_help_panel=panel,
    )


def require_registered(kind: Kind[Any], *names: str) -> None:
    """Refuse a name that there is not, before anything is loaded.

    Args:
        kind: Of what.
        names: The names.

    Raises:
        UsageError: If one is unknown, or claimed by two plugins.
    """
    # Imported here, for the registry reads what is installed, and --help does not wait for that.
    from vitequiv.plugins.registry import find

    for name in names:
        find(kind, name)
