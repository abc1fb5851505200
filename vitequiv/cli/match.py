"""`vitequiv match`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vitequiv.cli import options
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import print_note
from vitequiv.cli.formats import Format
from vitequiv.cli.norm_options import L2, Linf, MinimiseOption, check_size, parse_linf
from vitequiv.cli.progress import match_progress
from vitequiv.cli.render import Column, Renderer
from vitequiv.cli.target_options import TargetEmbedding, TargetMean, TargetText
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import ExitCode, UsageError
from vitequiv.images.jpeg_extra import require_codec
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_MAX_PASSES, DEFAULT_SOLVER, Init, LossName, SolverName
from vitequiv.results.envelope import Envelope
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.target_choice import TargetChoice, TextTarget, choose_target
from vitequiv.runs.worklist import (
    Pair,
    noise_to_given,
    pairs_from_csv,
    pairs_from_noise,
    pairs_from_paths,
    pairs_to_given,
)

VERB = "match"
PANEL = "Match"


def _column(heading: str, group: str, name: str, form: str) -> Column:
    def show(envelope: Envelope) -> str:
        value = ((envelope.result or {}).get(group) or {}).get(name)
        return "-" if value is None else format(value, form)

    return heading, show


COLUMNS: tuple[Column, ...] = (
    _column("cos start", "cosine", "initial", ".4f"),
    _column("cos saved", "cosine", "saved", ".4f"),
    _column("L2", "perturbation", "l2", ".3f"),
    _column("levels", "perturbation", "mean_abs_8bit", ".2f"),
    _column("PSNR", "perturbation", "psnr_db", ".1f"),
    _column("SSIM", "perturbation", "ssim", ".3f"),
    ("passes", lambda envelope: str(envelope.cost.passes)),
)
WITH_JPEG = (*COLUMNS[:2], _column("cos jpeg", "cosine", "jpeg", ".4f"), *COLUMNS[2:])


def match(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE... TARGET",
            help="Images to change (files, folders, patterns, or - for names on standard input), then the image whose "
            "embedding they are to share, unless an option names the target.",
            show_default=False,
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="CSV with the columns source,target[,name] in place of names.", rich_help_panel=PANEL
        ),
    ] = None,
    target_text: TargetText = None,
    target_embedding: TargetEmbedding = None,
    target_mean: TargetMean = None,
    init: Annotated[
        Init,
        typer.Option(help="Start at the source, or at noise: then every name is a target.", rich_help_panel=PANEL),
    ] = Init.SOURCE,
    solver: Annotated[
        SolverName, typer.Option(help="How to move; gd is the paper's.", rich_help_panel=PANEL)
    ] = DEFAULT_SOLVER,
    step_size: Annotated[
        float | None,
        typer.Option(
            help="gd (default 0.001), adam (0.002): on pixels in [0, 1]; "
            "nystrom (0.12), polyak (0.25), lbfgs (1): a factor on theirs.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    loss: Annotated[
        LossName | None,
        typer.Option(
            help="What to make small: the distance to the target's embedding, which is the paper's and the default, or "
            "1 - cosine, the default for --target-text.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    cosine: Annotated[
        float, typer.Option(help="Cosine similarity to reach, in (-1, 1].", rich_help_panel=PANEL)
    ] = DEFAULT_COSINE,
    residual: Annotated[
        float | None,
        typer.Option(
            help="Relative distance to reach; with --cosine, both.", show_default=False, rich_help_panel=PANEL
        ),
    ] = None,
    max_passes: Annotated[
        int, typer.Option(min=1, help="Forward and backward passes allowed an image.", rich_help_panel=PANEL)
    ] = DEFAULT_MAX_PASSES,
    jpeg: Annotated[
        int | None,
        typer.Option(
            metavar="QUALITY",
            min=1,
            max=100,
            help="Match as a JPEG of this quality, 1 to 100: writes matched.jpg beside matched.png, and the goal must "
            "hold for it. Needs kornia: pip install 'vitequiv\\[jpeg]'.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
    linf: Linf = None,
    l2: L2 = None,
    minimise: MinimiseOption = None,
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
    """Change images invisibly until they share a target's embedding."""
    del config  # read by its callback, before the other options
    room = parse_linf(linf)
    given: dict[str, Any] = {
        "target_text": target_text,
        "target_embedding": target_embedding,
        "target_mean": target_mean or None,
        "init": init,
        "solver": solver,
        "step_size": step_size,
        "loss": loss,
        "cosine": cosine,
        "residual": residual,
        "max_passes": max_passes,
        "jpeg": jpeg,
        "linf": room,
        "l2": l2,
        "minimise": minimise,
        "model": model,
        "readout": readout,
        "device": device,
        "dtype": dtype,
        "seed": seed,
        "batch_size": batch_size,
    }
    settings = settings_of(context, given)
    _check_ranges(cosine, residual, step_size)
    if jpeg is not None:
        require_codec()
    check_size(room, l2, minimise, init)
    choice = choose_target(target_text, target_embedding, target_mean or [], sys.stdin)
    todo = _worklist(paths or [], pairs, choice, init, quiet)
    if isinstance(choice, TextTarget) and residual is not None:
        raise UsageError("--residual is a distance, and a text's embedding is not as long as an image's: use --cosine.")
    # Not as a default of the option, for it depends on the target.
    objective = loss or (LossName.COSINE if isinstance(choice, TextTarget) else LossName.DISTANCE)
    settings["loss"] = Setting(objective, settings["loss"].source)
    directory = RunDirectory(out, VERB)
    directory.prepare((pair.name for pair in todo), overwrite)
    options.note_default_model(settings["model"], quiet)

    # Imported here, so that help and usage errors do not wait for torch.
    import torch

    from vitequiv.encoders.load import load_encoder
    from vitequiv.matching.constraints import Constraints
    from vitequiv.matching.goal import Goal
    from vitequiv.matching.solvers import make_solver
    from vitequiv.runs.context import describe_run
    from vitequiv.runs.match import MatchPlan, run_matches
    from vitequiv.runs.targets import make_target

    encoder = load_encoder(model, device=device, dtype=getattr(torch, dtype), readout=readout)
    step_rule = make_solver(solver, step_size)
    settings["step_size"] = Setting(step_rule.step_size, settings["step_size"].source)
    # A residual alone is a goal of its own; the default cosine stands for no goal named at all.
    alone = residual is not None and settings["cosine"].source is Source.DEFAULT
    settings["cosine"] = Setting(None, Source.DEFAULT) if alone else settings["cosine"]
    goal = Goal(None if alone else cosine, residual, max_passes)
    target = make_target(encoder, choice, batch_size) if choice else None
    plan = MatchPlan(step_rule, goal, batch_size, seed, objective, target, jpeg, Constraints(room, l2), minimise)
    run = describe_run(VERB, encoder, settings, seed)

    renderer = Renderer(output_format, COLUMNS if jpeg is None else WITH_JPEG)
    with match_progress(len(todo), quiet) as observe:
        for envelope in run_matches(encoder, todo, plan, run, directory, observe):
            renderer.item(envelope)
    renderer.finish(str(out))
    if not renderer.all_converged:
        raise typer.Exit(ExitCode.ITEM_FAILED)


def _worklist(paths: list[str], pairs: Path | None, choice: TargetChoice | None, init: Init, quiet: bool) -> list[Pair]:
    """Find the pairs that the command line names."""
    if pairs is not None:
        if paths:
            raise UsageError("Give either --pairs or SOURCE... TARGET, not both.")
        if init is Init.NOISE:
            raise UsageError("--init noise has no sources: name the targets instead of --pairs.")
        if choice is not None:
            raise UsageError("Give either --pairs, whose rows name their targets, or a --target option, not both.")
        return pairs_from_csv(pairs)
    if choice is not None and init is Init.NOISE:
        if paths:
            raise UsageError("--init noise has no sources and an option names the target: leave out the names.")
        return [noise_to_given(choice.label)]
    if choice is not None:
        return pairs_to_given(paths, choice.label, sys.stdin)
    if init is Init.NOISE:
        return pairs_from_noise(paths, sys.stdin)
    found, notes = pairs_from_paths(paths, sys.stdin)
    for note in notes if not quiet else ():
        print_note(note)
    return found


def _check_ranges(cosine: float, residual: float | None, step_size: float | None) -> None:
    """Refuse what no match can be asked for, before anything is loaded."""
    if not -1 < cosine <= 1:
        raise UsageError(f"--cosine must be above -1 and at most 1, got {cosine:g}.")
    for name, value in (("--residual", residual), ("--step-size", step_size)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} must be a number above 0, got {value:g}.")
