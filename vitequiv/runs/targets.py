"""From a target on the command line that is no single image to the embedding to match."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.classification.api import embed_all
from vitequiv.classification.zero_shot import require_text_tower
from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.images.decode import load_image
from vitequiv.results.envelope import InputRecord
from vitequiv.runs.saved_embeddings import read_embedding
from vitequiv.runs.target_choice import EmbeddingTarget, MeanTarget, TargetChoice, TextTarget

TEXT_NOTE = "a text, not a file; the digest is of its UTF-8"


@dataclass(frozen=True, eq=False)
class GivenTarget:
    """One embedding for every item of a run.

    Args:
        embedding: (n,).
        inputs: What it was made of, each with the role `target`.
    """

    embedding: Tensor
    inputs: tuple[InputRecord, ...]

    @property
    def key(self) -> str:
        """What it contributes to the seed of a start at noise."""
        return " ".join(record.sha256 or "" for record in self.inputs)


def make_target(encoder: Encoder, choice: TargetChoice, batch_size: int) -> GivenTarget:
    """Make the embedding to match.

    Args:
        encoder: The encoder.
        choice: What it is made of.
        batch_size: Images embedded together.

    Returns:
        The target. Cost, not counted: a forward an image, or one of the text tower.

    Raises:
        UsageError: If the encoder cannot read text, the file does not hold an embedding of this encoder, or the
            embedding has no direction.
        ImageError: If an image to be averaged cannot be used.
    """
    if isinstance(choice, TextTarget):
        target = _of_text(encoder, choice)
    elif isinstance(choice, EmbeddingTarget):
        embedding, record = read_embedding(encoder, choice.path, choice.tensor)
        target = GivenTarget(embedding, (record,))
    else:
        target = _of_mean(encoder, choice, batch_size)
    if not bool(target.embedding.isfinite().all()) or not bool(target.embedding.any()):
        raise UsageError(
            f"The target's embedding in {encoder.spec} is zero, NaN or infinite, so no image can be matched to it: "
            "name another target."
        )
    return target


def _of_text(encoder: Encoder, choice: TextTarget) -> GivenTarget:
    require_text_tower(encoder, "be given a target by --target-text", "name an image, or --target-embedding FILE")
    sha256 = hashlib.sha256(choice.text.encode("utf-8", "surrogateescape")).hexdigest()
    record = InputRecord("target", choice.text, sha256, (TEXT_NOTE,))
    return GivenTarget(encoder.embed_text([choice.text])[0], (record,))


def _of_mean(encoder: Encoder, choice: MeanTarget, batch_size: int) -> GivenTarget:
    """The mean of the embeddings as they are, which is the point of least summed squared distance to them."""
    records, parts = [], []
    for start in range(0, len(choice.images), batch_size):
        pixels = []
        for path in choice.images[start : start + batch_size]:
            image = load_image(path)
            records.append(InputRecord("target", str(path), image.sha256, image.notes))
            pixels.append(encoder.preprocess(image.image))
        parts.append(embed_all(encoder, encoder.batch(torch.stack(pixels), "targets"), batch_size))
    return GivenTarget(torch.cat(parts).mean(0), tuple(records))
