"""`vitequiv jacobian`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from vitequiv.cli import options
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import print_note
from vitequiv.cli.engine import Engine, EngineName, Place, RayAddress, RayThreads, RayWorkers, parse_engine
from vitequiv.cli.formats import Format
from vitequiv.cli.opened import Asked
from vitequiv.cli.progress import rows_progress
from vitequiv.cli.render import Column, cell
from vitequiv.cli.run import Begun, run_verb
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import UsageError
from vitequiv.results.envelope import Envelope
from vitequiv.results.names import Method
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.worklist.images import images_from_paths

VERB = "jacobian"
PANEL = "Jacobian"


def _number(heading: str, *keys: str, form: str = ".4g") -> Column:
    def show(envelope: Envelope) -> str:
        value: Any = envelope.result
        for key in keys:
            value = (value or {}).get(key)
        return cell(value, form)

    return heading, show


def _first(envelope: Envelope) -> str:
    return cell(((envelope.result or {})["singular_values"] or [0.0])[0], ".4g")


def _worst(envelope: Envelope) -> str:
    residuals = (envelope.result or {})["residuals"].values()
    return cell(None if None in residuals else max(residuals, default=0.0), ".1e")


COLUMNS: tuple[Column, ...] = (
    ("sigma 1", _first),
    _number("rank", "rank", "rank", form="d"),
    _number("stable rank", "summary", "stable_rank"),
    _number("effective rank", "summary", "effective_rank"),
    ("worst residual", _worst),
    ("passes", lambda envelope: str(envelope.cost.passes)),
)


def jacobian(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="Images: files, folders, patterns, or - for names on standard input.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        Method,
        typer.Option(help="All singular triplets, or the k largest without the matrix.", rich_help_panel=PANEL),
    ] = Method.FULL,
    k: Annotated[
        int | None,
        typer.Option("--k", min=1, help="Triplets for topk (16).", show_default=False, rich_help_panel=PANEL),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Relative residual that topk has to reach.", rich_help_panel=PANEL)
    ] = 1e-3,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="For topk: look for copies of repeated singular values too, for twice the passes.",
            rich_help_panel=PANEL,
        ),
    ] = False,
    vectors: Annotated[int, typer.Option(min=0, help="Right singular vectors to draw.", rich_help_panel=PANEL)] = 8,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="IMAGE",
            help="Overlay this image's spectrum, and give the principal angles between the normal spaces; "
            "with topk, between the spans of the k leading right singular vectors.",
            show_default=False,
            rich_help_panel=PANEL,
        ),
    ] = None,
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
    """Decompose the Jacobian of the embedding at an image."""
    del config  # read by its callback, before the other options
    given: dict[str, Any] = {
        "method": method,
        "k": k,
        "tolerance": tolerance,
        "verify": verify,
        "vectors": vectors,
        "compare": compare,
        "model": model,
        "readout": readout,
        "device": device,
        "dtype": dtype,
        "seed": seed,
    }
    settings = settings_of(context, given)
    ray = parse_engine(context, engine, ray_address, ray_workers, ray_threads, device)
    if k is not None and method is Method.FULL:
        raise UsageError("--k goes with --method topk: the full method finds all singular triplets.")
    # Only where it was typed: a configuration file may set it for the runs that use topk.
    if method is Method.FULL and settings["tolerance"].source is Source.FLAG:
        raise UsageError("--tolerance goes with --method topk: the full method has nothing to iterate.")
    if dtype is options.DType.BFLOAT16:
        raise UsageError("--dtype bfloat16 is too coarse for a Jacobian: choose float32 or float64.")
    if verify and method is Method.FULL:
        raise UsageError("--verify goes with --method topk: the full method misses nothing.")
    if not 0 < tolerance < 1:
        raise UsageError(f"--tolerance must be between 0 and 1, got {tolerance:g}.")
    todo = images_from_paths(paths or [], sys.stdin)
    asked = Asked(context, VERB, out, output_format, quiet, overwrite, resume, settings["model"], device, ray)

    def begin(directory: RunDirectory, place: Place) -> Begun:
        # Imported here, so that help and usage errors do not wait for torch.
        import torch

        from vitequiv.encoders.load import load_encoder
        from vitequiv.geometry.api import DEFAULT_K
        from vitequiv.runs.context import describe_run
        from vitequiv.runs.jacobian import JacobianPlan, jacobian_task

        encoder = load_encoder(model, device=place.device, dtype=getattr(torch, dtype), readout=readout)
        n = encoder.embedding_dim
        if k is not None and k > n:
            raise UsageError(f"--k {k} is more than the {n} dimensions of this embedding: ask for at most {n}.")
        if method is Method.TOPK and k is None:
            settings["k"] = Setting(min(DEFAULT_K, n), settings["k"].source)
        plan = JacobianPlan(method, k, tolerance, verify, vectors, compare, seed)
        run = describe_run(VERB, encoder, settings, seed, device=place.elsewhere)
        before = None if quiet else lambda expected: print_note(f"Full Jacobian: {expected}.")
        return Begun(run, encoder, lambda observe: jacobian_task(encoder, plan, run, directory, before, observe))

    run_verb(asked, todo, begin, COLUMNS, lambda _, quiet: rows_progress(quiet))
