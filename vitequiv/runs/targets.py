"""From a target on the command line that is no single image to the embedding to match."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from vitequiv.classification.zero_shot import require_text_tower
from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.results.envelope import InputRecord
from vitequiv.runs.embedding_files import embed_files
from vitequiv.runs.saved_embeddings import read_embedding
from vitequiv.runs.target_choice import EmbeddingTarget, MeanTarget, TargetChoice, TextTarget

TEXT_NOTE = "a text, not a file; the digest is of its UTF-8"


@dataclass(frozen=True, eq=False)
class GivenTarget:
    """One embedding to match.

    Args:
        embedding: (n,).
        inputs: What it was made of, each with the role `target`.
        digest: SHA-256 of the pixels at the input size; None for what is no single image.
    """

    embedding: Tensor
    inputs: tuple[InputRecord, ...]
    digest: str | None = None

    @property
    def key(self) -> str:
        """What it contributes to the seed of a start at noise."""
        return " ".join(record.sha256 or "" for record in self.inputs)


def make_target(encoder: Encoder, choice: TargetChoice, batch_size: int) -> GivenTarget:
    """Make the embedding to match.

    Args:
        encoder: The encoder.
        choice: What it is made of.
        batch_size: Images embedded together; fewer where they do not fit into the memory.

    Returns:
        The target. Cost, not counted: a forward an image, or one of the text tower.

    Raises:
        UsageError: If the encoder cannot read text, the file does not hold an embedding of this encoder, or the
            embedding has no direction.
        ImageError: If an image to be averaged cannot be used.
    """
    if isinstance(choice, TextTarget):
        (target,) = targets_of_texts(encoder, [choice])
    elif isinstance(choice, EmbeddingTarget):
        embedding, record = read_embedding(encoder, choice.path, choice.tensor)
        target = GivenTarget(embedding, (record,))
    else:
        target = _of_mean(encoder, choice, batch_size)
    return require_direction(encoder, target)


def require_direction(encoder: Encoder, target: GivenTarget) -> GivenTarget:
    """Make sure that there is an embedding to come near to.

    Args:
        encoder: The encoder, for the message.
        target: The target.

    Returns:
        The target.

    Raises:
        UsageError: If its embedding is zero or not finite.
    """
    if not bool(target.embedding.isfinite().all()) or not bool(target.embedding.any()):
        raise UsageError(
            f"The target's embedding in {encoder.spec} is zero, NaN or infinite, so no image can be matched to it: "
            "name another target."
        )
    return target


def text_digest(text: str) -> str:
    """The SHA-256 of a text's UTF-8, which stands for that of a file."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def targets_of_texts(encoder: Encoder, texts: Sequence[TextTarget]) -> list[GivenTarget]:
    """Make the embeddings of several texts as one batch.

    Args:
        encoder: The encoder.
        texts: The texts.

    Returns:
        A target a text. Cost, not counted: a forward of the text tower a text.

    Raises:
        UsageError: If the encoder cannot read text, or one of these.
    """
    require_text_tower(encoder, "be given a text as a target", "name an image or an embedding")
    targets = []
    for text, embedding in zip(texts, encoder.embed_text([text.text for text in texts]), strict=True):
        record = InputRecord("target", text.text, text_digest(text.text), (TEXT_NOTE,))
        targets.append(require_direction(encoder, GivenTarget(embedding, (record,))))
    return targets


def _of_mean(encoder: Encoder, choice: MeanTarget, batch_size: int) -> GivenTarget:
    """The mean of the embeddings as they are, which is the point of least summed squared distance to them."""
    embeddings, records = embed_files(encoder, choice.images, "target", batch_size)
    return GivenTarget(embeddings.mean(0), records)
