"""Writing one path: curve, strip, animation, tensors, and last the JSON."""

from __future__ import annotations

import torch

from vitequiv.encoders.base import Encoder
from vitequiv.images.save import atomic_write_bytes, save_tensors
from vitequiv.plots.frames import path_gif, strip_png
from vitequiv.plots.paths import curve_png
from vitequiv.results.artifacts import INTERPOLATE as ARTIFACTS
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.interpolate import PathResult
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory


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
    atomic_write_bytes(folder / ARTIFACTS["curve"], curve_png(result, title, limit))
    atomic_write_bytes(folder / ARTIFACTS["strip"], strip_png(result, title))
    atomic_write_bytes(folder / ARTIFACTS["animation"], path_gif(result))
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
        artifacts=ARTIFACTS,
    )
    out.finish(envelope)
    return envelope
