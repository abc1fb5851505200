"""The image processors that a checkpoint's users run, untouched: what a file is shown to when it is verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from vitequiv.encoders.base import Encoder


@dataclass(frozen=True, eq=False)
class OfficialProcessor:
    """A library's own image processor, as its users call it.

    Args:
        name: Its class or function, such as `BeitImageProcessor`.
        library: Where it comes from, such as `transformers`.
        backend: What resizes in it: `torchvision` or `pil`.
        process: An RGB image of any size to normalised pixels (3, H, W) on the CPU.
        exact: Whether `Encoder.preprocess` gives the same 8-bit levels for every image, which was verified at loading.
    """

    name: str
    library: str
    backend: str
    process: Callable[[Image.Image], Tensor]
    exact: bool = False

    @property
    def label(self) -> str:
        """The processor in a few words, for messages."""
        return f"{self.name} ({self.library}, {self.backend})"


Processors = Callable[[], tuple[OfficialProcessor, ...]]
"""Makes a checkpoint's processors, when they are first needed."""


def no_processors() -> tuple[OfficialProcessor, ...]:
    """For a model whose only processor is vitequiv's own."""
    return ()


def embed_through(encoder: Encoder, processor: OfficialProcessor, images: Sequence[Image.Image]) -> Tensor:
    """Embed images through an official processor, past all of vitequiv's own preprocessing.

    Args:
        encoder: The encoder.
        processor: One of `encoder.tower.processors()`.
        images: B RGB images of any sizes.

    Returns:
        Embeddings (B, n), without a graph. Cost: B forwards.
    """
    import torch

    with torch.no_grad():
        return encoder.embed_normalised(torch.stack([processor.process(image) for image in images]))
