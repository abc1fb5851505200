"""A target that is no single image, as the command line says it; nothing heavy is needed to read that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from vitequiv.errors import UsageError
from vitequiv.runs.worklist.finding import expand


@dataclass(frozen=True)
class TextTarget:
    """A sentence, for encoders with a text tower."""

    text: str

    @property
    def label(self) -> str:
        """What it is called in the names of items."""
        return self.text

    @property
    def subject(self) -> str:
        """What its record names as the path."""
        return self.text


@dataclass(frozen=True)
class EmbeddingTarget:
    """A vector in a safetensors file.

    Args:
        path: The file.
        tensor: Name of the tensor in it; None if there is only one that it can be.
    """

    path: Path
    tensor: str | None

    @property
    def label(self) -> str:
        """What it is called in the names of items."""
        return "_".join(filter(None, (self.path.stem, self.tensor)))

    @property
    def subject(self) -> str:
        """What its record names as the path."""
        return str(self.path)


@dataclass(frozen=True)
class MeanTarget:
    """The mean of the embeddings of images."""

    images: tuple[Path, ...]

    @property
    def label(self) -> str:
        """What it is called in the names of items."""
        return f"mean_of_{len(self.images)}"


TargetChoice = TextTarget | EmbeddingTarget | MeanTarget


def parse_embedding(text: str) -> EmbeddingTarget | None:
    """Read the name of an embedding.

    Args:
        text: `FILE` or `FILE#TENSOR`; a file whose own name has a `#` is found as well.

    Returns:
        The target; None if the text is neither.
    """
    path, mark, tensor = text.rpartition("#")
    if not mark or Path(text).is_file():
        path, tensor = text, ""
    if not path or (mark and not tensor and path != text):
        return None
    return EmbeddingTarget(Path(path), tensor or None)


def choose_target(
    text: str | None, embedding: str | None, mean: Sequence[str], stdin: TextIO | None
) -> TargetChoice | None:
    """Read the options that name a target.

    Args:
        text: A sentence.
        embedding: `FILE` or `FILE#TENSOR`; a file whose own name has a `#` is found as well.
        mean: Images, folders, glob patterns or `-`, whose images are averaged.
        stdin: Where `-` reads from.

    Returns:
        The choice; None if there is none, for a target that is an image.

    Raises:
        UsageError: If more than one is named, one is empty, or a folder or pattern yields no image.
    """
    if (text is not None) + (embedding is not None) + bool(mean) > 1:
        raise UsageError("Name one target: --target-text, --target-embedding or --target-mean.")
    if text is not None:
        if not text.strip():
            raise UsageError("--target-text is empty: is a variable of your script not set?")
        return TextTarget(text)
    if embedding is not None:
        parsed = parse_embedding(embedding)
        if parsed is None:
            raise UsageError(f"--target-embedding must be FILE or FILE#TENSOR, got {embedding!r}.")
        return parsed
    if mean:
        return MeanTarget(tuple(image for name in mean for image in expand(name, stdin)[0]))
    return None
