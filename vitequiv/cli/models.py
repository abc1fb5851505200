"""`vitequiv models list|show|check`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from vitequiv.cli import options
from vitequiv.cli.console import output_console, print_json
from vitequiv.cli.formats import Format
from vitequiv.encoders.families import EncoderFamily
from vitequiv.encoders.registry import Registry, load_registry
from vitequiv.encoders.spec import DEFAULT_SPEC, parse_spec
from vitequiv.results.envelope import jsonable

app = typer.Typer(help="What encoders there are.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="A family, for example beit.")]
SpecArgument = Annotated[str, typer.Argument(metavar="SPEC", help="NAME or NAME:CHECKPOINT.")]


@app.command("list")
def list_models(output_format: options.OutputFormat = Format.HUMAN) -> None:
    """List the registered families, who owns each, and the plugins that failed."""
    registry = load_registry()
    if output_format is Format.JSON:
        for name in registry.families:
            print_json(_describe(registry, name))
        for failure in registry.failures:
            print_json({"plugin": failure.name, "owner": failure.owner, "error": failure.error})
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "what", "default checkpoint", "default readout", "from"):
        table.add_column(heading, overflow="fold")
    for name, (family, owner) in ((n, (r.family, r.owner)) for n, r in registry.families.items()):
        marked = f"{name} (default)" if name == DEFAULT_SPEC else name
        table.add_row(marked, escape(family.summary), family.default_checkpoint or "-", family.default_readout, owner)
    console = output_console()
    console.print(table)
    for failure in registry.failures:
        console.print(
            f"[red]failed[/] plugin {escape(failure.name)} of {escape(failure.owner)}: {escape(failure.error)}",
            soft_wrap=True,
        )


@app.command("show")
def show_model(name: Name, output_format: options.OutputFormat = Format.HUMAN) -> None:
    """Show one family: its default checkpoint, its readouts and where the default comes from."""
    registry = load_registry()
    description = _describe(registry, parse_spec(name).name)
    _print(description, output_format)


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

    encoder = load_encoder(spec, device=device, dtype=getattr(torch, dtype), readout=readout)
    _print(
        {
            "spec": encoder.spec,
            "family": encoder.family,
            "checkpoint": encoder.checkpoint,
            "readout": encoder.readout,
            "embedding_dim": encoder.embedding_dim,
            "input_size": encoder.input_size,
            "preprocessing": encoder.preprocessing.to_dict(),
            "head": f"{len(encoder.labels)} classes" if encoder.labels else None,
            "text": encoder.tower.text is not None,
            "parameters": sum(p.numel() for p in encoder.tower.module.parameters()),
            "device": str(encoder.device),
            "dtype": dtype,
            "weights_sha256": encoder.weights_sha256,
            "probe": "passed: deterministic, batch equals single, finite gradient",
        },
        output_format,
    )


def _describe(registry: Registry, name: str) -> dict[str, object]:
    family: EncoderFamily = registry.get(name)
    return {
        "name": family.name,
        "summary": family.summary,
        "default_checkpoint": family.default_checkpoint,
        "readouts": list(family.readouts),
        "readout_source": family.source,
        "owner": registry.families[name].owner,
    }


def _print(description: dict[str, object], output_format: Format) -> None:
    if output_format is Format.JSON:
        print_json(description)
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in jsonable(description).items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else "none" if value is None else str(value)
        table.add_row(key.replace("_", " "), escape(shown))
    output_console().print(table)
