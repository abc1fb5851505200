"""`vitequiv classify`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from vitequiv.classification.choice import choose
from vitequiv.cli import classifier_options as classifier
from vitequiv.cli import options
from vitequiv.cli.config import settings_of
from vitequiv.cli.console import output_console, print_json
from vitequiv.cli.formats import Format
from vitequiv.cli.opened import Asked
from vitequiv.cli.progress import points_progress
from vitequiv.cli.render import cell
from vitequiv.cli.run import Begun, run_models
from vitequiv.encoders.spec import DEFAULT_SPEC
from vitequiv.errors import ExitCode
from vitequiv.results.envelope import Envelope
from vitequiv.results.settings import Setting
from vitequiv.results.status import Status
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.worklist.classify import IMAGE, work_from_paths

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder

VERB = "classify"


def classify(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="Images (files, folders, patterns, or - for names on standard input), or folders of saved matches, to "
            "compare before and after.",
            show_default=False,
        ),
    ] = None,
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
    batch_size: options.BatchSize = options.AUTO,
    config: options.Config = None,
) -> None:
    """Classify images, and see what a match does to their classes, in one encoder or several."""
    del config  # read by its callback, before the other options
    given: dict[str, Any] = {
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
        "batch_size": batch_size,
    }
    settings = settings_of(context, given)
    together = options.parse_batch_size(batch_size)
    choice = choose(labels, labels_file, template or [], head, prototypes, temperature)
    work = work_from_paths(paths or [], sys.stdin)
    named = Setting(", ".join(model), settings["model"].source)
    asked = Asked(context, VERB, out, output_format, quiet, overwrite, resume, named)
    done: list[Envelope] = []

    def load(spec: str) -> Encoder:
        # Imported here, so that help and usage errors do not wait for torch.
        import torch

        from vitequiv.encoders.load import load_encoder

        return load_encoder(spec, device=device, dtype=getattr(torch, dtype), readout=readout)

    def begin(encoder: Encoder, directory: RunDirectory) -> Begun:
        from vitequiv.batching import BatchSize
        from vitequiv.runs.classify import classify_task
        from vitequiv.runs.context import describe_run

        run = describe_run(VERB, encoder, settings, seed=0)
        size = BatchSize(together)

        def task(observe: Any) -> Any:
            return classify_task(encoder, work, choice, size, run, directory, observe)

        return Begun(run, encoder, task, within=size)

    def show(envelope: Envelope) -> None:
        done.append(envelope)
        if output_format is Format.JSON:
            print_json(envelope.to_dict())

    code = run_models(asked, model, load, begin, lambda _, quiet: points_progress(quiet, "images"), show)
    if output_format is Format.HUMAN:
        _show(done, str(out))
    if any(envelope.status is not Status.CONVERGED for envelope in done):
        code = code or ExitCode.ITEM_FAILED
    if code:
        raise typer.Exit(code)


def _show(envelopes: Sequence[Envelope], where: str) -> None:
    """Print a table of images, one of matches, and a sentence for each failure."""
    results = [(e.model.spec, e.result) for e in envelopes if e.result]
    images, matches = (
        _table("image", "top class", "probability"),
        _table("match", "model", "before", "after", "target", "cos before", "cos after", "takes target's class"),
    )
    images.add_column("model")
    console = output_console()
    for spec, result in results:
        rows: Sequence[Mapping[str, Any]] = result["images"]
        for row in (row for row in rows if row["role"] == IMAGE):  # those of matches are in their own table
            best = row["best"][0]
            images.add_row(escape(row["name"]), escape(best["label"]), cell(best["probability"], ".3f"), escape(spec))
        for match in result["matches"]:
            cells = [_guess(match[key]) for key in ("before", "after", "target")]
            before, after = match["cosine"]["before"], match["cosine"]["after"]
            cosines = [cell(before, ".4f"), cell(after, ".4f")]
            verdict = {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}[match["takes_target_class"]]
            matches.add_row(escape(match["name"]), escape(spec), *cells, *cosines, verdict)
    for table in (images, matches):
        if table.row_count:
            console.print(table)
    for envelope in envelopes:
        failures = (envelope.result or {}).get("failures") or [{"name": envelope.item, "message": envelope.message}]
        for failure in failures if envelope.status is not Status.CONVERGED else ():
            console.print(f"[bold]{escape(failure['name'])}[/]: {escape(failure['message'])}", soft_wrap=True)
        for note in envelope.notes:
            console.print(f"[bold]{escape(envelope.item)}[/]: {escape(note)}", soft_wrap=True)
    written = ", ".join(e.item for e in envelopes if e.result)
    console.print(f"{escape(written or 'nothing')} written to {escape(where)}", soft_wrap=True)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, overflow="fold")
    return table


def _guess(guess: Mapping[str, Any] | None) -> str:
    return "-" if guess is None else escape(f"{guess['label']} {cell(guess['probability'], '.2f')}")
