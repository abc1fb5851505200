"""`vitequiv interpolate`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vitequiv.cli import options
from vitequiv.cli.completion import path_names
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import print_note
from vitequiv.cli.engine import Engine, EngineName, Place, RayAddress, RayThreads, RayWorkers, parse_engine
from vitequiv.cli.formats import Format
from vitequiv.cli.opened import Asked
from vitequiv.cli.progress import points_progress
from vitequiv.cli.registered import require_registered, solver_option
from vitequiv.cli.render import Column, cell
from vitequiv.cli.run import Begun, run_verb
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import UsageError
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_SOLVER
from vitequiv.paths.defaults import DEFAULT_MAX_PASSES, DEFAULT_NULL_STEPS, DEFAULT_STEPS, DEFAULT_TOLERANCE
from vitequiv.plugins.kinds import PATH, SOLVER, Kind
from vitequiv.results.envelope import Envelope
from vitequiv.results.names import PathKind, Reference
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.worklist.interpolate import ends_from_paths

VERB = "interpolate"
PANEL = "Path"
MATCHED, NULL = "Path matched", "Path null"


def _last(name: str, form: str) -> Column:
    headings = {"l2": "L2", "covered": "covered", "cosine_start": "cos START", "cosine_end": "cos END"}

    def show(envelope: Envelope) -> str:
        value = (envelope.result or {})["points"][-1][name]
        return cell(value, form)

    return headings[name], show


def _kept(envelope: Envelope) -> str:
    """The one number that says how well a path kept what it had to keep, or how straight it was."""
    summary = (envelope.result or {})["summary"]
    for name, form in (("lowest_cosine", "cosine >= {:.4f}"), ("largest_drift", "drift <= {:.4f}")):
        if name in summary:
            return form.format(summary[name]) if summary[name] is not None else "-"
    return f"detour x{cell(summary['detour'], '.2f')}"


COLUMNS: tuple[Column, ...] = (
    ("points", lambda envelope: str(len((envelope.result or {})["points"]))),
    _last("l2", ".3f"),
    _last("covered", ".3f"),
    _last("cosine_start", ".4f"),
    _last("cosine_end", ".4f"),
    ("along the path", _kept),
    ("passes", lambda envelope: str(envelope.cost.passes)),
)


def interpolate(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="START END",
            help="The two images; END may be left out with --path null, which then walks in a random direction.",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="CSV with the columns source,target[,name], which are START and END, in place of names.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    path: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="linear: straight in pixels; matched: along that line, re-matched to one embedding; null: in the null "
            "space of the Jacobian; or a plugin's, see 'vitequiv plugins list'.",
            autocompletion=path_names,
            rich_help_panel=PANEL,
        ),
    ] = PathKind.LINEAR,
    steps: Annotated[
        int | None,
        typer.Option(
            help=f"Points, START among them: by default {DEFAULT_STEPS}; for a plugin's at most; for "
            f"null at most, by default {DEFAULT_NULL_STEPS}.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    max_passes: Annotated[
        int,
        typer.Option(
            min=1, help="Forward and backward passes allowed the way of all but linear.", rich_help_panel=PANEL
        ),
    ] = DEFAULT_MAX_PASSES,
    match: Annotated[
        str,
        typer.Option(
            metavar="start|end|IMAGE",
            help="Whose embedding every point keeps; ./start for a file of that name.",
            rich_help_panel=MATCHED,
        ),
    ] = Reference.START.value,
    cosine: Annotated[
        float, typer.Option(help="Cosine similarity that every point must have.", rich_help_panel=MATCHED)
    ] = DEFAULT_COSINE,
    solver: Annotated[str, solver_option(MATCHED, "How a point is re-matched")] = DEFAULT_SOLVER,
    step_size: Annotated[
        float | None,
        typer.Option(help="The solver's, as in match.", show_default=False, rich_help_panel=MATCHED),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(help="Largest distance from START's embedding, over its norm, in (0, 1).", rich_help_panel=NULL),
    ] = DEFAULT_TOLERANCE,
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
    engine: Engine = EngineName.HERE,
    ray_address: RayAddress = None,
    ray_workers: RayWorkers = None,
    ray_threads: RayThreads = None,
    config: options.Config = None,
) -> None:
    """Go from one image to another and follow the embedding."""
    del config  # read by its callback, before the other options
    given: dict[str, Any] = {
        "path": path,
        "steps": steps,
        "max_passes": max_passes,
        "match": match,
        "cosine": cosine,
        "solver": solver,
        "step_size": step_size,
        "tolerance": tolerance,
        "model": model,
        "readout": readout,
        "device": device,
        "dtype": dtype,
        "seed": seed,
    }
    settings = settings_of(context, given)
    require_registered(PATH, path)
    require_registered(SOLVER, solver)
    ray = parse_engine(context, engine, ray_address, ray_workers, ray_threads, device)
    _check_use(path, settings)
    _check_ranges(steps, cosine, step_size, tolerance)
    reference = _reference(match)
    todo = ends_from_paths(paths or [], pairs, path, (lambda _: None) if quiet else print_note)
    asked = Asked(context, VERB, out, output_format, quiet, overwrite, resume, settings["model"], device, ray)

    def begin(directory: RunDirectory, place: Place) -> Begun:
        # Imported here, so that help and usage errors do not wait for torch.
        import torch

        from vitequiv.encoders.load import load_encoder
        from vitequiv.matching.solvers import make_solver
        from vitequiv.paths.registered import find_path
        from vitequiv.runs.context import describe_run
        from vitequiv.runs.interpolate import PathPlan, path_task

        encoder = load_encoder(model, device=place.device, dtype=getattr(torch, dtype), readout=readout)
        way = PathKind(path) if path in set(PathKind) else find_path(path)
        plan = PathPlan(way, steps, reference, cosine, make_solver(solver, step_size), tolerance, max_passes, seed)
        used: dict[Kind[Any], list[str]] = {PATH: [path], SOLVER: [solver] if path == PathKind.MATCHED else []}
        run = describe_run(VERB, encoder, settings, seed, used, place.elsewhere)
        return Begun(run, encoder, lambda observe: path_task(encoder, plan, run, directory, observe))

    run_verb(asked, todo, begin, COLUMNS, lambda _, quiet: points_progress(quiet))


USED_BY = {
    "match": PathKind.MATCHED,
    "cosine": PathKind.MATCHED,
    "solver": PathKind.MATCHED,
    "step_size": PathKind.MATCHED,
    "tolerance": PathKind.NULL,
}
"""The one path that an option means something for."""


def _check_use(path: str, settings: Mapping[str, Setting]) -> None:
    """Refuse options that would be ignored, where they were typed and not configured for all runs."""
    for name, kind in USED_BY.items():
        if settings[name].source is Source.FLAG and path != kind:
            option = name.replace("_", "-")
            raise UsageError(f"--{option} goes with --path {kind}: the path here is {path}.")
    if settings["max_passes"].source is Source.FLAG and path == PathKind.LINEAR:
        raise UsageError(f"--max-passes goes with --path matched, null or a plugin's: the path here is {path}.")


def _check_ranges(steps: int | None, cosine: float, step_size: float | None, tolerance: float) -> None:
    """Refuse what no path can be asked for, before anything is loaded."""
    if steps is not None and steps < 2:
        raise UsageError(f"--steps must be at least 2, START and one more, got {steps}.")
    if not -1 < cosine <= 1:
        raise UsageError(f"--cosine must be above -1 and at most 1, got {cosine:g}.")
    if not 0 < tolerance < 1:
        raise UsageError(f"--tolerance must be above 0 and below 1, got {tolerance:g}.")
    if step_size is not None and not 0 < step_size < float("inf"):
        raise UsageError(f"--step-size must be a number above 0, got {step_size:g}.")


def _reference(match: str) -> Reference | Path:
    """Read --match: a word, or an image that is there."""
    if match in {Reference.START, Reference.END}:
        return Reference(match)
    if not Path(match).is_file():
        raise UsageError(f"--match {match} is neither start nor end nor a file: check the path.")
    return Path(match)
