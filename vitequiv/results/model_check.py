"""What `vitequiv models check` says with `--format json`."""

from __future__ import annotations

from dataclasses import dataclass

from vitequiv.images.preprocessing import Preprocessing


@dataclass(frozen=True)
class ModelCheck:
    """An encoder that was loaded and probed: `models check`.

    Args:
        spec: What was asked for.
        family: The family's name.
        checkpoint: Which weights of it.
        readout: Which vector is the embedding.
        embedding_dim: Its dimension n.
        input_size: [height, width] in pixels.
        preprocessing: The checkpoint's own.
        head: Number of classes of the checkpoint's own classifier, in words; null without one.
        text: Whether it reads text.
        parameters: Weights of the network.
        device: The torch device.
        dtype: float32, float64 or bfloat16.
        weights_sha256: Digest over the tensors, whatever the file format.
        probe: What was tried.
    """

    spec: str
    family: str
    checkpoint: str
    readout: str
    embedding_dim: int
    input_size: tuple[int, int]
    preprocessing: Preprocessing
    head: str | None
    text: bool
    parameters: int
    device: str
    dtype: str
    weights_sha256: str
    probe: str
