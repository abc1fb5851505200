"""Writing the statistics of one encoder: histograms, every pair, tensors, and last the JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from vitequiv.images.save import atomic_write_bytes, save_tensors
from vitequiv.results.artifacts import STATISTICS as ARTIFACTS
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.statistics import PairStatistics
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.draw import Candidate
from vitequiv.runs.figures import Figures

if TYPE_CHECKING:
    from torch import Tensor

    from vitequiv.encoders.base import Encoder
    from vitequiv.runs.statistics_pairs import Look


def write_statistics(
    encoder: Encoder,
    item: str,
    status: Status,
    message: str,
    inputs: tuple[InputRecord, ...],
    cost: Cost,
    result: PairStatistics,
    null: Tensor,
    seen: Mapping[Candidate, Look],
    matched: Mapping[int, Tensor],
    context: RunContext,
    out: RunDirectory,
) -> Envelope:
    """Write an encoder's folder.

    Args:
        encoder: The encoder.
        item: Name of the folder.
        status: How it ended.
        message: The same in a sentence.
        inputs: The files that went in.
        cost: What it took.
        result: The statistics.
        null: Cosines of all pairs of drawn images.
        seen: The drawn images.
        matched: Embeddings of the 8-bit results by number of the pair.
        context: What goes into the envelope.
        out: Where to write.

    Returns:
        The envelope written.
    """
    import torch

    figures = Figures()
    figures.draw(ARTIFACTS["plot"], lambda: _figure(result, null, encoder.spec))
    folder = out.begin(item)
    figures.write(folder)
    atomic_write_bytes(folder / ARTIFACTS["pairs"], pairs_csv(result))
    place = {str(candidate.path): i for i, candidate in enumerate(seen)}
    ends = [[place[result.pairs[i].source], place[result.pairs[i].target]] for i in matched]
    tensors = {
        "embeddings": torch.stack([look.embedding for look in seen.values()]),
        "matched": torch.stack(list(matched.values())),
        "pairs": torch.tensor(ends),
        "number": torch.tensor(list(matched)),
        "null": null.float(),
    }
    save_tensors(
        folder / ARTIFACTS["tensors"], tensors, {"spec": encoder.spec, "weights_sha256": encoder.weights_sha256}
    )
    envelope = context.envelope(
        item,
        status,
        message,
        inputs,
        cost=cost,
        result=result.to_dict(),
        artifacts=figures.artifacts(ARTIFACTS),
        notes=figures.notes,
    )
    out.finish(envelope)
    return envelope


def _figure(result: PairStatistics, null: Tensor, spec: str) -> bytes:
    from vitequiv.plots.statistics import statistics_png

    return statistics_png(result, null.tolist(), spec)


def pairs_csv(result: PairStatistics) -> bytes:
    """List the pairs as `vitequiv match --pairs` reads them.

    Args:
        result: The statistics.

    Returns:
        CSV in UTF-8 with the columns `source`, `target` and `name`.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("source", "target", "name"))
    writer.writerows((pair.source, pair.target, f"pair{i:04}") for i, pair in enumerate(result.pairs))
    return text.getvalue().encode("utf-8", "surrogateescape")
