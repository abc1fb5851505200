"""The images and targets of a run, each decoded, preprocessed and embedded once, however many pairs name it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ModelError
from vitequiv.images.decode import load_image
from vitequiv.images.naming import shown
from vitequiv.results.envelope import InputRecord
from vitequiv.runs.failures import reason
from vitequiv.runs.recent import Recent
from vitequiv.runs.target_choice import EmbeddingTarget, TargetChoice
from vitequiv.runs.targets import GivenTarget, make_target, require_direction

ROOM = 64 << 20
"""Bytes of pixels kept, and again of embeddings: a hundred images of 224 x 224, twenty thousand embeddings of 768."""
RECORD_BYTES = 1 << 10
"""What a file's name, digest and notes take, and a little more."""


@dataclass(frozen=True, eq=False)
class SeenImage:
    """An image as the encoder is shown it.

    Args:
        pixels: (3, H, W) in [0, 1], on the CPU.
        sha256: Digest of the file's bytes.
        notes: What decoding had to do.
    """

    pixels: Tensor
    sha256: str
    notes: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the pixels: equal for files that show the encoder the same."""
        return hashlib.sha256(self.pixels.numpy().tobytes()).hexdigest()


class Seen:
    """Images and targets of a run, kept for the pairs to come as long as there is room.

    A file is known by its path, inode, time and size, so one that is replaced meanwhile is read again. Each target is
    embedded by itself: its last bits must not depend on what else a run, or a resumed run, has to do. Images may be
    asked for by several threads, targets by one.

    Args:
        encoder: The encoder that sees them.
        room: Bytes of pixels kept at most, and again of targets.
    """

    def __init__(self, encoder: Encoder, room: int = ROOM) -> None:
        self._encoder = encoder
        self._looking = threading.Lock()
        self._images = Recent[SeenImage](room, lambda image: image.pixels.nbytes + RECORD_BYTES)
        self._targets = Recent[GivenTarget](room, lambda target: target.embedding.nbytes + RECORD_BYTES)

    def image(self, path: Path) -> SeenImage:
        """Decode and preprocess an image.

        Args:
            path: The file.

        Returns:
            The image; an `ImageError` is raised if it cannot be used.
        """
        with self._looking:
            return self._images.get(_file_key(path), lambda: self._look(path))

    def target(self, wanted: Path | TargetChoice) -> GivenTarget:
        """Make the embedding to match.

        Args:
            wanted: An image, or what a row of a pairs file names in place of one.

        Returns:
            The target; a `VitequivError` is raised if it cannot be made. An image is embedded by itself, so that its
            embedding does not depend on its neighbours. Cost, not counted: one forward, or one of the text tower.
        """
        if isinstance(wanted, Path):
            return self.of_image(str(wanted), self.image(wanted))
        key: Hashable = wanted
        if isinstance(wanted, EmbeddingTarget):
            key = ("embedding", wanted.tensor, _file_key(wanted.path))
        return self._targets.get(key, lambda: make_target(self._encoder, wanted, 1))

    def of_image(self, path: str, image: SeenImage) -> GivenTarget:
        """Make the embedding of an image to match.

        Args:
            path: What it is called.
            image: The image.

        Returns:
            The target; see `target`.
        """
        return self._targets.get(("image", path, image.sha256), lambda: self._embed(path, image))

    def _embed(self, path: str, image: SeenImage) -> GivenTarget:
        try:
            with torch.no_grad():
                embedding = self._encoder.embed(image.pixels[None])[0]
        except Exception as error:
            raise ModelError(
                f"The model {self._encoder.spec} failed on the target {shown(path)}: {reason(error)}"
            ) from None
        record = InputRecord("target", path, image.sha256, image.notes)
        return require_direction(self._encoder, GivenTarget(embedding, (record,), image.digest))

    def _look(self, path: Path) -> SeenImage:
        image = load_image(path)
        return SeenImage(self._encoder.preprocess(image.image), image.sha256, image.notes)


def _file_key(path: Path) -> Hashable:
    """What changes when a file does; of a file that is not there, only the path."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return str(path)
    return str(path), status.st_ino, status.st_mtime_ns, status.st_size
