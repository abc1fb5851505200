"""`vitequiv ldlc`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vitequiv.cli import options
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import print_note
from vitequiv.cli.formats import Format
from vitequiv.cli.progress import rows_progress
from vitequiv.cli.render import Column, Renderer
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import ExitCode, UsageError
from vitequiv.results.envelope import Envelope
from vitequiv.results.ldlc import Directions
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.worklist import images_from_paths

VERB = "ldlc"
PANEL = "Constants"


def _mean(name: Directions) -> Column:
    def show(envelope: Envelope) -> str:
        group = (envelope.result or {})["groups"].get(name)
        return format(group["measured"]["mean"], ".3g") if group else "-"

    return name.value, show


COLUMNS: tuple[Column, ...] = (
    ("sigma 1", lambda envelope: format((envelope.result or {})["sigma_1"], ".4g")),
    ("epsilon", lambda envelope: format((envelope.result or {})["epsilon"]["value"], ".2g")),
    *(_mean(name) for name in Directions),
    ("passes", lambda envelope: str(envelope.cost.passes)),
)


def ldlc(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="Images: files, folders, patterns, or - for names on standard input.",
            show_default=False,
        ),
    ] = None,
    directions: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Groups, separated by commas: singular, random, null, match (with --target).",
            rich_help_panel=PANEL,
        ),
    ] = "singular,random,null",
    target: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE|FOLDER",
            help="Match each image to this one and measure along the way there, or along that of a saved match.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="Random and null directions for |J d|, from the known J.", rich_help_panel=PANEL)
    ] = 10_000,
    measured: Annotated[
        int,
        typer.Option(min=1, help="Random and null directions measured by forwards (Eq. 7).", rich_help_panel=PANEL),
    ] = 100,
    along: Annotated[
        int,
        typer.Option(
            min=0, help="Directions of each group along which |J(x + a d) d| is measured.", rich_help_panel=PANEL
        ),
    ] = 3,
    epsilon: Annotated[
        float | None,
        typer.Option(
            help="Half the range, an L2 distance; by default on the plateau between rounding and curvature.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    points: Annotated[int, typer.Option(min=3, help="Grid points over the range, odd.", rich_help_panel=PANEL)] = 5,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Look along epsilon even where it is given.", rich_help_panel=PANEL)
    ] = False,
    model: options.Model = DEFAULT_SPEC,
    readout: options.Readout = None,
    device: options.Device = "auto",
    dtype: options.Precision = options.DType.FLOAT32,
    out: options.Out = Path("vitequiv-out"),
    output_format: options.OutputFormat = Format.HUMAN,
    quiet: options.Quiet = False,
    overwrite: options.Overwrite = False,
    seed: options.Seed = 0,
    batch_size: options.BatchSize = 8,
    config: options.Config = None,
) -> None:
    """Estimate local directional Lipschitz constants of the embedding."""
    del config  # read by its callback, before the other options
    given: dict[str, Any] = {
        "directions": directions,
        "target": target,
        "count": count,
        "measured": measured,
        "along": along,
        "epsilon": epsilon,
        "points": points,
        "sweep": sweep,
        "model": model,
        "readout": readout,
        "device": device,
        "dtype": dtype,
        "seed": seed,
        "batch_size": batch_size,
    }
    settings = settings_of(context, given)
    if dtype is options.DType.BFLOAT16:
        raise UsageError(
            "--dtype bfloat16 is too coarse for constants and their error bars: choose float32 or float64."
        )
    groups = _groups(directions, target)
    _check_ranges(count, measured, epsilon, points)
    todo = images_from_paths(paths or [], sys.stdin)
    directory = RunDirectory(out, VERB)
    directory.prepare((item.name for item in todo), overwrite)
    options.note_default_model(settings["model"], quiet)

    # Imported here, so that help and usage errors do not wait for torch.
    import torch

    from vitequiv.encoders.load import load_encoder
    from vitequiv.runs.context import describe_run
    from vitequiv.runs.ldlc import LdlcPlan, run_ldlc

    encoder = load_encoder(model, device=device, dtype=getattr(torch, dtype), readout=readout)
    plan = LdlcPlan(groups, target, count, measured, along, epsilon, points, sweep, seed, batch_size)
    run = describe_run(VERB, encoder, settings, seed)

    renderer = Renderer(output_format, COLUMNS)
    with rows_progress(quiet) as observe:
        before = None if quiet else lambda expected: print_note(f"Full Jacobian: {expected}.")
        for envelope in run_ldlc(encoder, todo, plan, run, directory, before, observe):
            renderer.item(envelope)
            if envelope.result and epsilon is None and not quiet:
                print_note(f"{envelope.item}: {epsilon_note(envelope.result)}")
    renderer.finish(str(out))
    if not renderer.all_converged:
        raise typer.Exit(ExitCode.ITEM_FAILED)


def epsilon_note(result: Mapping[str, Any]) -> str:
    """Say how good the epsilon is that the sweep found.

    Args:
        result: An envelope's result, with a sweep.

    Returns:
        A sentence: that epsilon is on the plateau, or that there is none.
    """
    error = min(row.error for row in result["sweep"])
    chosen = f"epsilon {result['epsilon']['value']:.2g}"
    if result["epsilon"]["chosen_on_plateau"]:
        return f"{chosen}, on the plateau between rounding and curvature."
    return (
        f"{chosen}, but no plateau was found: rounding and curvature disturb the constants by "
        f"{100 * error:.0f} % at the least; try --dtype float64, or choose --epsilon."
    )


def _groups(text: str, target: Path | None) -> tuple[Directions, ...]:
    """Read the list of groups; naming a target adds the match."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in set(Directions):
            raise UsageError(f"There are no directions {name!r}: choose from {', '.join(Directions)}.")
    groups = tuple(dict.fromkeys(Directions(name) for name in names))
    if not groups:
        raise UsageError(f"--directions names none: choose from {', '.join(Directions)}.")
    if Directions.MATCH in groups and target is None:
        raise UsageError("The directions match need --target IMAGE, the image to match to.")
    return groups if target is None or Directions.MATCH in groups else (*groups, Directions.MATCH)


def _check_ranges(count: int, measured: int, epsilon: float | None, points: int) -> None:
    """Refuse what cannot be measured, before anything is loaded."""
    if measured > count:
        raise UsageError(f"--measured {measured} is more than --count {count}: measure at most all of them.")
    if epsilon is not None and not 0 < epsilon < float("inf"):
        raise UsageError(f"--epsilon must be a number above 0, got {epsilon:g}.")
    if points % 2 == 0:
        raise UsageError(f"--points must be odd, so that the image itself is on the grid, got {points}.")
