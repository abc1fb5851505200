"""Writing one match, and measuring it again from what was written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ModelError
from vitequiv.images.canvas import canvas_shape, to_canvas
from vitequiv.images.decode import load_image
from vitequiv.images.difference import difference_image
from vitequiv.images.jpeg import encode_jpeg
from vitequiv.images.lattice import to_uint8
from vitequiv.images.save import atomic_write_bytes, save_png, save_tensors
from vitequiv.matching.goal import Goal
from vitequiv.matching.names import LossName, SpaceName
from vitequiv.matching.objective import cosine_similarity, relative_residual
from vitequiv.matching.space import space_of
from vitequiv.results.artifacts import MATCH as ARTIFACTS
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.match import Canvas, MatchResult, TrajectoryRow
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.figures import Figures
from vitequiv.runs.verification import verify


def write_match(
    encoder: Encoder,
    item: str,
    inputs: tuple[InputRecord, ...],
    result: MatchResult,
    goal: Goal,
    context: RunContext,
    out: RunDirectory,
    loss: LossName = LossName.DISTANCE,
    jpeg: int | None = None,
) -> Envelope:
    """Write an item's folder: images, tensors, plot, and last the JSON.

    Args:
        encoder: The encoder.
        item: The item's name.
        inputs: The files that went in.
        result: What was found.
        goal: What was asked for.
        context: What the items share.
        out: The run's directory.
        loss: What was made small.
        jpeg: Quality of the JPEG to write beside the PNG, and to hold to the goal in its place; None for no JPEG.

    Returns:
        The envelope written, with `saved` and `verified` filled in, and `jpeg` if there is one. Cost, not counted: a
        forward on the start, and for each of the files reloaded from disk one and one more an official processor.

    Raises:
        OutputError: If a file cannot be written.
        ModelError: If an official processor cannot be loaded or fails.
    """
    folder = out.begin(item)
    matched = to_uint8(result.pixels)
    own = result.space is SpaceName.IMAGE
    whole = matched if own else to_canvas(matched, encoder.preprocessing)
    save_png(folder / ARTIFACTS["matched"], whole)
    saved = embed_saved(encoder, folder / ARTIFACTS["matched"])
    coded = None
    if jpeg is not None:
        atomic_write_bytes(folder / ARTIFACTS["jpeg"], encode_jpeg(whole, jpeg))
        coded = embed_saved(encoder, folder / ARTIFACTS["jpeg"])
    see = space_of(encoder, result.space, result.start.shape).see
    pixels, start = (see(x[None])[0] for x in (result.pixels, result.start))
    save_tensors(
        folder / ARTIFACTS["tensors"],
        {
            "pixels": pixels,
            "start": start,
            **({"picture": result.pixels} if own else {}),
            "embedding_start": _embed(encoder, start),
            "embedding_saved": saved,
            "embedding_target": result.target,
            **({} if coded is None else {"embedding_jpeg": coded}),
        },
        {"spec": encoder.spec, "weights_sha256": encoder.weights_sha256, "readout": encoder.readout},
    )
    save_png(folder / ARTIFACTS["difference"], difference_image(to_uint8(result.start), matched))
    rows = result.trajectory
    figures = Figures()
    if rows:
        figures.draw(ARTIFACTS["trajectory"], lambda: _trajectory(rows, f"{item} — {encoder.spec}", goal, loss))
    figures.write(folder)

    files = {"matched": saved, **({} if coded is None else {"jpeg": coded})}
    result = verified(result, saved, goal, coded)
    result = verify(encoder, result, {folder / ARTIFACTS[name]: seen for name, seen in files.items()}, goal)
    absent = {name for name, made in (("trajectory", result.trajectory), ("jpeg", jpeg)) if not made}
    envelope = context.envelope(
        item,
        result.status,
        result.message,
        inputs,
        cost=result.cost,
        result=result.to_dict(Canvas(height=whole.shape[0], width=whole.shape[1])),
        artifacts=figures.artifacts({name: file for name, file in ARTIFACTS.items() if name not in absent}),
        notes=figures.notes,
    )
    out.finish(envelope)
    return envelope


def _trajectory(rows: Sequence[TrajectoryRow], title: str, goal: Goal, loss: LossName) -> bytes:
    from vitequiv.plots.match import trajectory_png

    return trajectory_png(rows, title, goal.cosine, loss)


def require_canvas(encoder: Encoder) -> None:
    """Make sure that a file can show the encoder exactly the pixels that were matched.

    Args:
        encoder: The encoder.

    Raises:
        ModelError: If its own preprocessing pads every image, whatever its size.
    """
    try:
        canvas_shape(encoder.preprocessing)
    except ValueError as error:
        raise ModelError(f"The model {encoder.spec} cannot be matched through a file: {error}.") from None


def embed_saved(encoder: Encoder, path: Path) -> Tensor:
    """Embed a file as anybody's ordinary pipeline would.

    Args:
        encoder: The encoder.
        path: An image file.

    Returns:
        The embedding (n,), after decoding and the checkpoint's own preprocessing. Cost: 1 forward.
    """
    return _embed(encoder, encoder.preprocess(load_image(path).image))


def _embed(encoder: Encoder, pixels: Tensor) -> Tensor:
    """Embed one image (3, H, W)."""
    with torch.no_grad():
        return encoder.embed(pixels[None])[0]


def verified(result: MatchResult, saved: Tensor, goal: Goal, coded: Tensor | None = None) -> MatchResult:
    """Fill in what was measured on the saved files, and take back a success that did not survive being saved.

    Args:
        result: A match.
        saved: The embedding of the saved PNG, (n,).
        goal: What was asked for.
        coded: The embedding of the saved JPEG, if there is one; the goal then holds for it and not for the PNG.

    Returns:
        The match with `saved` and `jpeg` in its measures; if it did not converge, its message says how close the file
        came.
    """
    target = result.target[None]
    for name, embedding in {"saved": saved, **({} if coded is None else {"jpeg": coded})}.items():
        cosine = cosine_similarity(embedding[None], target).item()
        residual = relative_residual(embedding[None] - target, target).item()
        result = replace(
            result,
            cosine=replace(result.cosine, **{name: cosine}),
            relative_residual=replace(result.relative_residual, **{name: residual}),
        )
    judged = saved if coded is None else coded
    lost = goal.on_lattice and not bool(goal.met(judged[None], target))
    if result.status is Status.CONVERGED and lost:
        message = f"The match was found but did not survive being saved: the reloaded file has cosine {cosine:.7f}."
        return replace(result, status=Status.FAILED, message=message)
    if result.status is not Status.CONVERGED:
        file = "PNG" if coded is None else "JPEG"
        return replace(result, message=f"{result.message} The {file} came to cosine {cosine:.7f}.")
    return result
