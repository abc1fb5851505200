"""Writing one path: curve, strip, animation, tensors, and last the JSON."""

from __future__ import annotations

import torch

from vitequiv.encoders.base import Encoder
from vitequiv.images.save import save_tensors
from vitequiv.results.artifacts import INTERPOLATE as ARTIFACTS
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.interpolate import PathResult
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.figures import Figures


def write_path(
    encoder: Encoder,
    item: str,
    inputs: tuple[InputRecord, ...],
    result: PathResult,
    limit: float | None,
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    """Write an item's folder.

    Args:
        encoder: The encoder.
        item: The item's name.
        inputs: The files that went in.
        result: The path.
        limit: The cosine or the tolerance that was to be kept, for the curve; None for none.
        context: What the items share.
        out: The run's directory.

    Returns:
        The envelope written.

    Raises:
        OutputError: If a file cannot be written.
    """
    folder = out.begin(item)
    title = f"{item} — {encoder.spec}, path {result.path}"
    figures = Figures()
    figures.draw(ARTIFACTS["curve"], lambda: _curve(result, title, limit))
    figures.draw(ARTIFACTS["strip"], lambda: _strip(result, title))
    figures.draw(ARTIFACTS["animation"], lambda: _animation(result))
    figures.write(folder)
    tensors = {
        "t": torch.tensor([point.t for point in result.points], dtype=torch.float64),
        "pixels": result.pixels,
        "embeddings": result.embeddings,
        "reference": result.reference,
    }
    metadata = {"spec": encoder.spec, "weights_sha256": encoder.weights_sha256, "readout": encoder.readout}
    save_tensors(folder / ARTIFACTS["tensors"], tensors, metadata)
    envelope = context.envelope(
        item,
        result.status,
        result.message,
        inputs,
        cost=result.cost,
        result=result.to_dict(),
        artifacts=figures.artifacts(ARTIFACTS),
        notes=figures.notes,
    )
    out.finish(envelope)
    return envelope


def _curve(result: PathResult, title: str, limit: float | None) -> bytes:
    from vitequiv.plots.paths import curve_png

    return curve_png(result, title, limit)


def _strip(result: PathResult, title: str) -> bytes:
    from vitequiv.plots.frames import strip_png

    return strip_png(result, title)


def _animation(result: PathResult) -> bytes:
    from vitequiv.plots.frames import path_gif

    return path_gif(result)
