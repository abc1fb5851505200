"""Reading image files and embedding them, some at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, in_batches
from vitequiv.encoders.base import Encoder
from vitequiv.images.decode import load_image
from vitequiv.results.envelope import InputRecord


def embed_files(
    encoder: Encoder, paths: Sequence[Path], role: str, batch_size: int | BatchSize
) -> tuple[Tensor, tuple[InputRecord, ...]]:
    """Embed image files.

    Args:
        encoder: The encoder.
        paths: The files, at least one.
        role: What they are, for the record.
        batch_size: Images embedded together; fewer where they do not fit into the memory.

    Returns:
        The embeddings, (k, n), and the files. Cost: a forward an image.

    Raises:
        ImageError: If a file cannot be used.
    """

    def embed(part: Sequence[Path]) -> tuple[Tensor, list[InputRecord]]:
        images = [load_image(path) for path in part]
        records = [
            InputRecord(role, str(path), image.sha256, image.notes) for path, image in zip(part, images, strict=True)
        ]
        pixels = encoder.batch(torch.stack([encoder.preprocess(image.image) for image in images]), f"{role}s")
        with torch.no_grad():
            return encoder.embed(pixels), records

    done = in_batches(embed, paths, batch_size)
    return torch.cat([embeddings for embeddings, _ in done]), tuple(record for _, part in done for record in part)
