"""`vitequiv statistics`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vitequiv.classification.choice import choose
from vitequiv.cli import classifier_options as classifier
from vitequiv.cli import options
from vitequiv.cli.config import settings_of
from vitequiv.cli.formats import Format
from vitequiv.cli.opened import Asked
from vitequiv.cli.progress import match_progress
from vitequiv.cli.registered import require_registered, solver_option
from vitequiv.cli.render import Column, Renderer, cell
from vitequiv.cli.run import Begun, run_models
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import ExitCode, UsageError
from vitequiv.matching.names import DEFAULT_COSINE, DEFAULT_MAX_PASSES, DEFAULT_SOLVER
from vitequiv.plugins.kinds import SOLVER
from vitequiv.results.envelope import Envelope
from vitequiv.results.settings import Setting
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.draw import draw_pairs, find_candidates

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder

VERB = "statistics"
PANEL = "Draw and match"


def _mean(heading: str, form: str, *keys: str) -> Column:
    """A column of means with their standard errors."""

    def show(envelope: Envelope) -> str:
        found: Any = envelope.result or {}
        for key in keys:
            found = found[key]
        if found is None or found["mean"] is None:
            return "-"
        error = "" if found["standard_error"] is None else f"±{found['standard_error']:{form}}"
        return f"{found['mean']:{form}}{error}"

    return heading, show


def _rate(heading: str, name: str) -> Column:
    """A column of rates with their 95 % intervals."""

    def show(envelope: Envelope) -> str:
        rate = (envelope.result or {})["rates"][name]
        if rate["rate"] is None:
            return "-"
        return f"{rate['successes']}/{rate['trials']} [{cell(rate['low'], '.2f')} {cell(rate['high'], '.2f')}]"

    return heading, show


def _kind(envelope: Envelope) -> str:
    record = (envelope.result or {})["classifier"]
    return str(record["kind"]) if record else "-"


COLUMNS: tuple[Column, ...] = (
    _mean("cos before", ".3f", "cosine", "before"),
    _mean("cos after", ".4f", "cosine", "after"),
    _rate("converged", "converged"),
    ("classifier", _kind),
    _rate("flipped", "flipped"),
    _mean("L2", ".2f", "perturbation", "l2"),
    _mean("levels", ".2f", "perturbation", "mean_abs_8bit"),
    _mean("PSNR", ".1f", "perturbation", "psnr_db"),
    _mean("SSIM", ".3f", "perturbation", "ssim"),
    _mean("passes", ".0f", "passes"),
)
WITH_LPIPS = (*COLUMNS[:-1], _mean("LPIPS", ".3f", "perturbation", "lpips"), COLUMNS[-1])


def statistics(
    context: typer.Context,
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="FOLDER...",
            help="Where pairs are drawn from: folders of images, or of a folder of images a class.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Pairs to draw.", rich_help_panel=PANEL)] = 100,
    different_class: Annotated[
        bool,
        typer.Option("--different-class", help="Draw only pairs of two class folders.", rich_help_panel=PANEL),
    ] = False,
    solver: Annotated[str, solver_option(PANEL)] = DEFAULT_SOLVER,
    step_size: Annotated[
        float | None,
        typer.Option(help="As for vitequiv match.", show_default=False, rich_help_panel=PANEL),
    ] = None,
    cosine: Annotated[
        float, typer.Option(help="Cosine similarity to reach, in (-1, 1].", rich_help_panel=PANEL)
    ] = DEFAULT_COSINE,
    max_passes: Annotated[
        int, typer.Option(min=1, help="Forward and backward passes allowed a pair.", rich_help_panel=PANEL)
    ] = DEFAULT_MAX_PASSES,
    labels: classifier.Labels = None,
    labels_file: classifier.LabelsFile = None,
    template: classifier.Template = None,
    head: classifier.Head = False,
    prototypes: classifier.Prototypes = None,
    temperature: classifier.Temperature = None,
    model: classifier.Models = [DEFAULT_SPEC],  # noqa: B006 - Typer shows it in the help and never changes it
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
    config: options.Config = None,
) -> None:
    """Match random pairs of a folder, without post-selection: rates, distributions and sizes with their errors."""
    del config  # read by its callback, before the other options
    given: dict[str, Any] = {
        "count": count,
        "different_class": different_class,
        "solver": solver,
        "step_size": step_size,
        "cosine": cosine,
        "max_passes": max_passes,
        "labels": labels,
        "labels_file": labels_file,
        "template": template or [],
        "head": head,
        "prototypes": prototypes,
        "temperature": temperature,
        "model": model,
        "readout": readout,
        "device": device,
        "dtype": dtype,
        "seed": seed,
        "batch_size": batch_size,
    }
    settings = settings_of(context, given)
    together = options.parse_batch_size(batch_size)
    require_registered(SOLVER, solver)
    if not -1 < cosine <= 1:
        raise UsageError(f"--cosine must be above -1 and at most 1, got {cosine:g}.")
    if step_size is not None and not 0 < step_size < float("inf"):
        raise UsageError(f"--step-size must be a number above 0, got {step_size:g}.")
    choice = choose(labels, labels_file, template or [], head, prototypes, temperature)
    candidates = find_candidates(folders or [])
    pairs = draw_pairs(candidates, count, seed, different_class)
    named = Setting(", ".join(model), settings["model"].source)
    asked = Asked(context, VERB, out, output_format, quiet, overwrite, resume, named)

    # Imported here, so that help and usage errors do not wait for torch.
    from vitequiv.matching.lpips import weight_files

    renderer = Renderer(output_format, WITH_LPIPS if weight_files() else COLUMNS)

    def load(spec: str) -> Encoder:
        import torch

        from vitequiv.encoders.load import load_encoder

        return load_encoder(spec, device=device, dtype=getattr(torch, dtype), readout=readout)

    def begin(encoder: Encoder, directory: RunDirectory) -> Begun:
        from vitequiv.batching import BatchSize
        from vitequiv.matching.goal import Goal
        from vitequiv.matching.guarded import step_size_of
        from vitequiv.matching.solvers import make_solver
        from vitequiv.runs.context import describe_run
        from vitequiv.runs.statistics import statistics_task
        from vitequiv.runs.statistics_pairs import StatisticsPlan

        step_rule = make_solver(solver, step_size)
        settings["step_size"] = Setting(step_size_of(step_rule), settings["step_size"].source)
        goal = Goal(cosine=cosine, max_passes=max_passes)
        size = BatchSize(together)
        plan = StatisticsPlan(pairs, candidates, seed, different_class, choice, step_rule, goal, size)
        run = describe_run(VERB, encoder, settings, seed, {SOLVER: [solver]})

        def task(observe: Any) -> Any:
            return statistics_task(encoder, plan, run, directory, observe, asked.resume)

        return Begun(run, encoder, task, within=size)

    code = run_models(asked, model, load, begin, lambda _, quiet: match_progress(len(pairs), quiet), renderer.item)
    renderer.finish(str(out))
    if not renderer.all_converged:
        code = code or ExitCode.ITEM_FAILED
    if code:
        raise typer.Exit(code)
