"""`vitequiv models list|show|check`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from vitequiv.cli import options
from vitequiv.cli.completion import model_names
from vitequiv.cli.console import output_console, print_record
from vitequiv.cli.formats import Format
from vitequiv.encoders.spec import DEFAULT_SPEC, parse_spec
from vitequiv.plugins.kinds import ENCODER
from vitequiv.results.envelope import jsonable

if TYPE_CHECKING:
    from vitequiv.encoders.families import EncoderFamily
    from vitequiv.plugins.loading import PluginFailure
    from vitequiv.plugins.registry import Registry
    from vitequiv.results.models import FamilyRecord

app = typer.Typer(help="What encoders there are.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A family, for example beit.", autocompletion=model_names)]
SpecArgument = Annotated[
    str, typer.Argument(metavar="SPEC", help="NAME or NAME:CHECKPOINT.", autocompletion=model_names)
]


@app.command("list")
def list_models(output_format: options.OutputFormat = Format.HUMAN) -> None:
    """List the registered families, who owns each, and the plugins that failed."""
    registry = _registry()
    if output_format is Format.JSON:
        for name in registry.entries:
            print_record("family", _describe(registry, name))
        from vitequiv.results.models import PluginFailureRecord

        for failure in registry.failures:
            print_record("plugin-failure", PluginFailureRecord(failure.name, failure.owner, failure.error))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "what", "default checkpoint", "default readout", "from"):
        table.add_column(heading, overflow="fold")
    for name, (family, owner) in ((n, (r.thing, r.owner.name)) for n, r in registry.entries.items()):
        marked = f"{name} (default)" if name == DEFAULT_SPEC else name
        table.add_row(marked, escape(family.summary), family.default_checkpoint or "-", family.default_readout, owner)
    output_console().print(table)
    show_failures(registry.failures)


def show_failures(failures: Iterable[PluginFailure]) -> None:
    """Print the plugins that failed, a line each.

    Args:
        failures: The plugins.
    """
    console = output_console()
    for failure in failures:
        console.print(
            f"[red]failed[/] plugin {escape(failure.name)} of {escape(failure.owner)}: {escape(failure.error)}",
            soft_wrap=True,
        )


@app.command("show")
def show_model(name: Name, output_format: options.OutputFormat = Format.HUMAN) -> None:
    """Show one family: its default checkpoint, its readouts and where the default comes from."""
    registry = _registry()
    description = _describe(registry, parse_spec(name).name)
    _print("family", description, output_format)


@app.command("check")
def check_model(
    spec: SpecArgument,
    readout: options.Readout = None,
    device: options.Device = "auto",
    dtype: options.Precision = options.DType.FLOAT32,
    output_format: options.OutputFormat = Format.HUMAN,
) -> None:
    """Load an encoder, probe it, and show what it is."""
    import torch

    from vitequiv.encoders.load import load_encoder
    from vitequiv.results.model_check import ModelCheck

    encoder = load_encoder(spec, device=device, dtype=getattr(torch, dtype), readout=readout)
    _print(
        "model",
        ModelCheck(
            spec=encoder.spec,
            family=encoder.family,
            checkpoint=encoder.checkpoint,
            readout=encoder.readout,
            embedding_dim=encoder.embedding_dim,
            input_size=encoder.input_size,
            preprocessing=encoder.preprocessing,
            head=f"{len(encoder.labels)} classes" if encoder.labels else None,
            text=encoder.tower.text is not None,
            parameters=sum(p.numel() for p in encoder.tower.module.parameters()),
            device=str(encoder.device),
            dtype=dtype,
            weights_sha256=encoder.weights_sha256,
            probe="passed: deterministic, batch equals single, finite gradient",
        ),
        output_format,
    )


def _registry() -> Registry[EncoderFamily]:
    # Imported here, for it reads what is installed, and --help does not wait for that.
    from vitequiv.plugins.registry import load_registry

    return load_registry(ENCODER)


def _describe(registry: Registry[EncoderFamily], name: str) -> FamilyRecord:
    from vitequiv.results.models import FamilyRecord

    family: EncoderFamily = registry.get(name)
    return FamilyRecord(
        name=family.name,
        summary=family.summary,
        default_checkpoint=family.default_checkpoint,
        readouts=family.readouts,
        readout_source=family.source,
        owner=registry.entries[name].owner.name,
    )


def _print(kind: str, description: object, output_format: Format) -> None:
    if output_format is Format.JSON:
        print_record(kind, description)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in jsonable(description).items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)
        table.add_row(key.replace("_", " "), escape(shown))
    output_console().print(table)
