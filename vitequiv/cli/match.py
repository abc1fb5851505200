"""`vitequiv match`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vitequiv.cli import options
from vitequiv.cli.config import settings_of
from vitequiv.cli.engine import Engine, EngineName, Place, RayAddress, RayThreads, RayWorkers, parse_engine
from vitequiv.cli.file_options import Jpeg, Space, check_space
from vitequiv.cli.formats import Format
from vitequiv.cli.match_columns import COLUMNS, WITH_JPEG
from vitequiv.cli.match_pairs import check_ranges, find_pairs
from vitequiv.cli.norm_options import L2, Linf, MinimiseOption, check_size, parse_linf
from vitequiv.cli.opened import Asked
from vitequiv.cli.progress import match_progress
from vitequiv.cli.registered import require_registered, solver_option
from vitequiv.cli.run import Begun, run_verb
from vitequiv.cli.target_options import TargetEmbedding, TargetMean, TargetText, To
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import UsageError
from vitequiv.images.jpeg_extra import require_codec
from vitequiv.matching.names import (
    DEFAULT_COSINE,
    DEFAULT_MAX_PASSES,
    DEFAULT_SOLVER,
    Init,
    LossName,
    SpaceName,
)
from vitequiv.plugins.kinds import SOLVER
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.target_choice import TextTarget, choose_target
from vitequiv.runs.worklist.items import Pair

VERB = "match"
PANEL = "Match"
TARGET_BATCH = 8
"""Images of a mean target embedded together where --batch-size is left to the free memory."""


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
            metavar="FILE",
            help="CSV with the columns source,target[,name] in place of names; target_text or target_embedding beside "
            "target or in its place.",
            rich_help_panel=PANEL,
        ),
    ] = None,
    to: To = None,
    target_text: TargetText = None,
    target_embedding: TargetEmbedding = None,
    target_mean: TargetMean = None,
    init: Annotated[
        Init,
        typer.Option(help="Start at the source, or at noise: then every name is a target.", rich_help_panel=PANEL),
    ] = Init.SOURCE,
    solver: Annotated[str, solver_option(PANEL)] = DEFAULT_SOLVER,
    step_size: Annotated[
        float | None,
        typer.Option(
            help="gd (default 0.001), adam (0.002): on pixels in [0, 1]; "
            "nystrom (0.17), polyak (0.25), lbfgs (1): a factor on theirs.",
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
    space: Space = SpaceName.MODEL,
    jpeg: Jpeg = None,
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
    resume: options.Resume = False,
    seed: options.Seed = 0,
    batch_size: options.BatchSize = options.AUTO,
    engine: Engine = EngineName.HERE,
    ray_address: RayAddress = None,
    ray_workers: RayWorkers = None,
    ray_threads: RayThreads = None,
    config: options.Config = None,
) -> None:
    """Change images invisibly until they share a target's embedding."""
    del config  # read by its callback, before the other options
    room = parse_linf(linf)
    together = options.parse_batch_size(batch_size)
    given: dict[str, Any] = {
        "to": to or None,
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
        "space": space,
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
    require_registered(SOLVER, solver)
    ray = parse_engine(context, engine, ray_address, ray_workers, ray_threads, device)
    check_ranges(cosine, residual, step_size)
    if jpeg is not None:
        require_codec()
    check_size(room, l2, minimise, init)
    check_space(space, init)
    choice = choose_target(target_text, target_embedding, target_mean or [], sys.stdin)
    todo = find_pairs(paths or [], pairs, to or [], choice, init, quiet)
    texts = not todo.live and any(isinstance(pair, Pair) and isinstance(pair.given, TextTarget) for pair in todo.read())
    if (texts or isinstance(choice, TextTarget)) and residual is not None:
        raise UsageError("--residual is a distance, and a text's embedding is not as long as an image's: use --cosine.")
    # Not as a default of the option, for it depends on the target.
    objective = loss or (LossName.COSINE if isinstance(choice, TextTarget) else LossName.DISTANCE)
    settings["loss"] = Setting(objective, settings["loss"].source)
    asked = Asked(context, VERB, out, output_format, quiet, overwrite, resume, settings["model"], device, ray)

    def begin(directory: RunDirectory, place: Place) -> Begun:
        # Imported here, so that help and usage errors do not wait for torch.
        import torch

        from vitequiv.classification.zero_shot import require_text_tower
        from vitequiv.encoders.load import load_encoder
        from vitequiv.matching.constraints import Constraints
        from vitequiv.matching.goal import Goal
        from vitequiv.matching.guarded import step_size_of
        from vitequiv.matching.solvers import make_solver
        from vitequiv.runs.context import describe_run
        from vitequiv.runs.match import TEXT_ROWS, match_task
        from vitequiv.runs.match_work import MatchPlan
        from vitequiv.runs.targets import make_target

        encoder = load_encoder(model, device=place.device, dtype=getattr(torch, dtype), readout=readout)
        step_rule = make_solver(solver, step_size)
        settings["step_size"] = Setting(step_size_of(step_rule), settings["step_size"].source)
        # A residual alone is a goal of its own; the default cosine stands for no goal named at all.
        alone = residual is not None and settings["cosine"].source is Source.DEFAULT
        settings["cosine"] = Setting(None, Source.DEFAULT) if alone else settings["cosine"]
        goal = Goal(None if alone else cosine, residual, max_passes)
        target = make_target(encoder, choice, together or TARGET_BATCH) if choice else None
        plan = MatchPlan(
            step_rule,
            goal,
            together,
            seed,
            objective,
            loss or LossName.COSINE,
            target,
            jpeg,
            Constraints(room, l2),
            minimise,
            space,
        )
        if texts:
            require_text_tower(encoder, *TEXT_ROWS)
        run = describe_run(VERB, encoder, settings, seed, {SOLVER: [solver]}, place.elsewhere)
        return Begun(run, encoder, lambda observe: match_task(encoder, plan, run, directory, observe), together)

    run_verb(asked, todo, begin, COLUMNS if jpeg is None else WITH_JPEG, match_progress)
