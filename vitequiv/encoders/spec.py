"""Encoder specs: `NAME[:CHECKPOINT]`."""

from __future__ import annotations

from dataclasses import dataclass

from vitequiv.errors import ModelError

DEFAULT_SPEC = "tiny-clip"


@dataclass(frozen=True)
class Spec:
    """A parsed encoder spec.

    Args:
        name: The family, for example `beit`.
        checkpoint: What follows the first colon (a hub name, a directory, ...), or None.
    """

    name: str
    checkpoint: str | None

    def __str__(self) -> str:
        return self.name if self.checkpoint is None else f"{self.name}:{self.checkpoint}"


def parse_spec(text: str) -> Spec:
    """Split a spec at its first colon.

    Args:
        text: `NAME` or `NAME:CHECKPOINT`.

    Returns:
        The name in lower case, and the checkpoint as it was typed.

    Raises:
        ModelError: If the name, or the checkpoint after a colon, is empty.
    """
    name, colon, checkpoint = text.strip().partition(":")
    if not name or (colon and not checkpoint):
        raise ModelError(
            f"The model {text!r} is not of the form NAME or NAME:CHECKPOINT, for example beit or beit:DIR."
        )
    return Spec(name.lower(), checkpoint if colon else None)
