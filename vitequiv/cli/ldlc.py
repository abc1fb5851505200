"""`vitequiv ldlc`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vitequiv.cli import options
from vitequiv.cli.completion import direction_names
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import print_note
from vitequiv.cli.engine import Engine, EngineName, Place, RayAddress, RayThreads, RayWorkers, parse_engine
from vitequiv.cli.formats import Format
from vitequiv.cli.opened import Asked
from vitequiv.cli.progress import rows_progress
from vitequiv.cli.registered import require_registered
from vitequiv.cli.render import Column, cell
from vitequiv.cli.run import Begun, run_verb
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import UsageError
from vitequiv.plugins.kinds import DIRECTIONS
from vitequiv.results.envelope import Envelope
from vitequiv.results.names import Directions
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.worklist.images import images_from_paths

VERB = "ldlc"
PANEL = "Constants"


def _mean(name: str) -> Column:
    def show(envelope: Envelope) -> str:
        group = (envelope.result or {})["groups"].get(name)
        return cell(group["measured"]["mean"], ".3g") if group else "-"

    return name, show


def _columns(groups: Sequence[str]) -> tuple[Column, ...]:
    """The columns of a run: the built-in groups', and those of plugins asked for."""
    names = dict.fromkeys([*(name.value for name in Directions), *groups])
    return (*LEFT, *map(_mean, names), *RIGHT)


LEFT: tuple[Column, ...] = (
    ("sigma 1", lambda envelope: cell((envelope.result or {})["sigma_1"], ".4g")),
    ("epsilon", lambda envelope: cell((envelope.result or {})["epsilon"]["value"], ".2g")),
)
RIGHT: tuple[Column, ...] = (("passes", lambda envelope: str(envelope.cost.passes)),)


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
            help="Groups, separated by commas: singular, random, null, match (with --target) or a plugin's; see "
            "'vitequiv plugins list'.",
            autocompletion=direction_names,
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
        typer.Option(
            min=1,
            help="Random and null directions measured by forwards (Eq. 7), at most --count.",
            rich_help_panel=PANEL,
        ),
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
    resume: options.Resume = False,
    seed: options.Seed = 0,
    batch_size: options.BatchSize = options.AUTO,
    engine: Engine = EngineName.HERE,
    ray_address: RayAddress = None,
    ray_workers: RayWorkers = None,
    ray_threads: RayThreads = None,
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
    together = options.parse_batch_size(batch_size)
    ray = parse_engine(context, engine, ray_address, ray_workers, ray_threads, device)
    if dtype is options.DType.BFLOAT16:
        raise UsageError(
            "--dtype bfloat16 is too coarse for constants and their error bars: choose float32 or float64."
        )
    groups = _groups(directions, target)
    if settings["measured"].source is Source.DEFAULT:
        measured = min(measured, count)
        settings["measured"] = Setting(measured, Source.DEFAULT)
    _check_ranges(count, measured, epsilon, points)
    todo = images_from_paths(paths or [], sys.stdin)
    asked = Asked(context, VERB, out, output_format, quiet, overwrite, resume, settings["model"], device, ray)

    def begin(directory: RunDirectory, place: Place) -> Begun:
        # Imported here, so that help and usage errors do not wait for torch.
        import torch

        from vitequiv.batching import BatchSize
        from vitequiv.encoders.load import load_encoder
        from vitequiv.geometry.groups import find_directions
        from vitequiv.runs.context import describe_run
        from vitequiv.runs.ldlc import LdlcPlan, ldlc_task

        encoder = load_encoder(model, device=place.device, dtype=getattr(torch, dtype), readout=readout)
        chosen = tuple(name if name in set(Directions) else find_directions(name) for name in groups)
        size = BatchSize(together)
        plan = LdlcPlan(chosen, target, count, measured, along, epsilon, points, sweep, seed, size)
        run = describe_run(VERB, encoder, settings, seed, {DIRECTIONS: groups}, place.elsewhere)
        before = None if quiet else lambda expected: print_note(f"Full Jacobian: {expected}.")

        def task(observe: Any) -> Any:
            return ldlc_task(encoder, plan, run, directory, before, observe)

        return Begun(run, encoder, task, within=size)

    def after(envelope: Envelope) -> None:
        if envelope.result and epsilon is None and not quiet:
            print_note(f"{envelope.item}: {epsilon_note(envelope.result)}")

    run_verb(asked, todo, begin, _columns(groups), lambda _, quiet: rows_progress(quiet), after)


def epsilon_note(result: Mapping[str, Any]) -> str:
    """Say how good the epsilon is that the sweep found.

    Args:
        result: An envelope's result, with a sweep, of plain JSON types.

    Returns:
        A sentence: that epsilon is on the plateau, or that there is none.
    """
    error = min((row["error"] for row in result["sweep"] if row["error"] is not None), default=float("inf"))
    chosen = f"epsilon {result['epsilon']['value']:.2g}"
    if result["epsilon"]["chosen_on_plateau"]:
        return f"{chosen}, on the plateau between rounding and curvature."
    return (
        f"{chosen}, but no plateau was found: rounding and curvature disturb the constants by "
        f"{100 * error:.0f} % at the least; try --dtype float64, or choose --epsilon."
    )


def _groups(text: str, target: Path | None) -> tuple[str, ...]:
    """Read the list of groups; naming a target adds the match."""
    groups = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not groups:
        raise UsageError(f"--directions names none: choose from {', '.join(Directions)}.")
    require_registered(DIRECTIONS, *groups)
    if Directions.MATCH in groups and target is None:
        raise UsageError("The directions match need --target IMAGE, the image to match to.")
    return groups if target is None or Directions.MATCH in groups else (*groups, Directions.MATCH.value)


def _check_ranges(count: int, measured: int, epsilon: float | None, points: int) -> None:
    """Refuse what cannot be measured, before anything is loaded."""
    if measured > count:
        raise UsageError(f"--measured {measured} is more than --count {count}: measure at most all of them.")
    if epsilon is not None and not 0 < epsilon < float("inf"):
        raise UsageError(f"--epsilon must be a number above 0, got {epsilon:g}.")
    if points % 2 == 0:
        raise UsageError(f"--points must be odd, so that the image itself is on the grid, got {points}.")
