"""What a plugin registers: a family of encoders under one name.

Light to import: everything heavy happens inside `EncoderFamily.load`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vitequiv.plugins.named import NAME_PATTERN

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower


class Readout(StrEnum):
    """Which vector of the network is "the embedding"."""

    CLS = "cls"
    """The class token after the last layer norm."""
    MEAN = "mean"
    """The mean of the patch tokens after the last layer norm, or of a feature map over its positions."""
    POOLER = "pooler"
    """What the model class itself returns as its pooled output."""
    PROJECTION = "projection"
    """The pooled output mapped into the space shared with text, not normalised."""
    AUTO = "auto"
    """The standard one of the checkpoint's own type, for families of many types; `VisionTower.readout` says which."""


@dataclass(frozen=True)
class EncoderFamily:
    """A named family of encoders.

    Args:
        name: What users type before the colon of a spec; lower case, digits, `-` and `_`.
        summary: One line for `vitequiv models list`.
        load: Called as `load(checkpoint, readout)`; returns the tower on the CPU in float32. Imports its library
            inside. Raises `vitequiv.errors.ModelError` when the checkpoint cannot be had.
        default_checkpoint: What the bare name stands for; None if a checkpoint must be named.
        readouts: The readouts on offer, the default first.
        source: Where the default readout is taken from (a paper, or the library's own convention).

    Raises:
        ValueError: If the name is not of that form or no readout is on offer.
    """

    name: str
    summary: str
    load: Callable[[str, Readout], VisionTower]
    default_checkpoint: str | None
    readouts: tuple[Readout, ...]
    source: str

    def __post_init__(self) -> None:
        if not NAME_PATTERN.fullmatch(self.name):
            raise ValueError(
                "An encoder family's name is lower case letters, digits, '-' and '_', starting with a letter: "
                f"got {self.name!r}."
            )
        texts = {"summary": self.summary, "source": self.source, "default_checkpoint": self.default_checkpoint or ""}
        for field, text in texts.items():
            if not isinstance(text, str):
                raise ValueError(f"{field} of the encoder family {self.name!r} must be a string: got {text!r}.")
        if not callable(self.load):
            raise ValueError(f"load of the encoder family {self.name!r} must be callable: got {self.load!r}.")
        if not all(isinstance(readout, Readout) for readout in self.readouts):
            raise ValueError(f"readouts of the encoder family {self.name!r} must be of Readout: got {self.readouts!r}.")
        if not self.readouts:
            raise ValueError(f"The encoder family {self.name!r} must offer at least one readout.")

    @property
    def default_readout(self) -> Readout:
        """The readout taken when none is asked for."""
        return self.readouts[0]
