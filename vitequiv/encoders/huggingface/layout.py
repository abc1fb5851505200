"""What a model's output is made of, found by looking at one, for types that no recipe describes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.families import Readout
from vitequiv.errors import UsageError

_CLASS_TOKENS = ("cls_token", "class_embedding", "class_token")


@dataclass(frozen=True)
class Layout:
    """The vectors in a model's output.

    Args:
        readouts: The readouts it can give, the standard one first.
        prefix_tokens: Tokens before the patch tokens.
    """

    readouts: tuple[Readout, ...]
    prefix_tokens: int

    def choose(self, readout: Readout, spec: str) -> Readout:
        """Resolve `Readout.AUTO` and check any other.

        Args:
            readout: The readout asked for.
            spec: The encoder spec, for the message.

        Returns:
            The readout.

        Raises:
            UsageError: If the output has no such vector.
        """
        if readout is Readout.AUTO:
            return self.readouts[0]
        if readout not in self.readouts:
            raise UsageError(f"The model {spec} has no readout {readout}: choose from {', '.join(self.readouts)}.")
        return readout


def inspect_output(encoder: Any, size: tuple[int, int], spec: str) -> Layout:
    """Look at the output for one black image.

    The standard readout is the projection where there is one, else the class token, else the pooler, else the mean over
    the positions.

    Args:
        encoder: The transformers model, on the CPU.
        size: (H, W) of the input in pixels.
        spec: The encoder spec, for messages.

    Returns:
        The layout. Cost: 1 forward.

    Raises:
        ModelError: If the model cannot be run on its own input size.
    """
    import torch

    with loading(f"The model {spec}"), torch.no_grad():
        output = encoder.eval()(pixel_values=torch.zeros(1, 3, *size))
    tokens = getattr(output, "last_hidden_state", None)
    named = any(name.rpartition(".")[2] in _CLASS_TOKENS for name, _ in encoder.named_parameters())
    has_class = named and tokens is not None and tokens.ndim == 3
    readouts = [
        (Readout.PROJECTION, getattr(output, "image_embeds", None) is not None),
        (Readout.CLS, has_class),
        (Readout.POOLER, getattr(output, "pooler_output", None) is not None),
        (Readout.MEAN, tokens is not None),
    ]
    prefix = 0
    if tokens is not None and has_class:
        prefix = tokens.shape[1] - _patches(encoder.config, size, tokens.shape[1] - 1)
    return Layout(tuple(readout for readout, there in readouts if there), prefix)


def _patches(config: Any, size: tuple[int, int], otherwise: int) -> int:
    patch = getattr(config, "patch_size", None)
    if patch is None:
        return otherwise
    height, width = (patch, patch) if isinstance(patch, int) else patch
    return int((size[0] // height) * (size[1] // width))
