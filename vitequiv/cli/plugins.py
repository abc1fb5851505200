"""`vitequiv plugins list`."""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from vitequiv.cli import options
from vitequiv.cli.console import output_console, print_record
from vitequiv.cli.formats import Format
from vitequiv.cli.models import show_failures
from vitequiv.plugins.kinds import KINDS

app = typer.Typer(
    help="What is built in and what plugins add: models, solvers, directions, paths.", no_args_is_help=True
)


@app.callback()
def plugins() -> None:
    """What is built in and what plugins add: models, solvers, directions, paths."""


@app.command("list")
def list_plugins(output_format: options.OutputFormat = Format.HUMAN) -> None:
    """List all that is registered, who owns each, and the plugins that failed."""
    # Imported here, for it reads what is installed, and --help does not wait for that.
    from vitequiv.plugins.loading import load_plugins
    from vitequiv.plugins.registry import registry_from
    from vitequiv.results.models import PluginFailureRecord, RegisteredRecord

    loaded = load_plugins()
    registries = [registry_from(loaded, kind) for kind in KINDS]
    failures = list(dict.fromkeys(failure for registry in registries for failure in registry.failures))
    records = [
        RegisteredRecord(registry.kind.word, name, found.thing.summary, found.owner.name, found.owner.version)
        for registry in registries
        for name, found in registry.entries.items()
    ]
    if output_format is Format.JSON:
        for record in records:
            print_record("registered", record)
        for failure in failures:
            print_record("plugin-failure", PluginFailureRecord(failure.name, failure.owner, failure.error))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("kind", "name", "what", "from"):
        table.add_column(heading, overflow="fold")
    for record in records:
        owner = f"{record.owner} {record.version}"
        table.add_row(record.kind, record.name, escape(record.summary), escape(owner))
    output_console().print(table)
    show_failures(failures)
