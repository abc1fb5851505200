"""Reading one embedding from a safetensors file: vitequiv's own, or anybody's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.files.reading import sha256_of
from vitequiv.images.naming import shown
from vitequiv.results.envelope import InputRecord
from vitequiv.runs.failures import reason

FLOATS = {"F64", "F32", "F16", "BF16"}
"""Safetensors' names of the dtypes that an embedding can have."""
MOST_NAMED = 8
"""Tensors named in a message at most."""


def read_embedding(encoder: Encoder, path: Path, tensor: str | None) -> tuple[Tensor, InputRecord]:
    """Read an embedding.

    Args:
        encoder: The encoder that it must be of, where the file says of which it is.
        path: A safetensors file.
        tensor: Name of a tensor (n,) or (1, n); None for the only one of that shape.

    Returns:
        The embedding (n,) in the encoder's dtype, and the file's record.

    Raises:
        UsageError: If the file cannot be read, is of another model, or holds no such tensor or several.
    """
    from safetensors import SafetensorError, safe_open

    try:
        sha256 = sha256_of(path)  # which waits for no pipe
        with safe_open(path, framework="pt") as file:
            about = file.metadata() or {}
            _require_same_model(encoder, path, about)
            slices = {name: file.get_slice(name) for name in sorted(file.keys())}
            kinds = {name: (tuple(s.get_shape()), str(s.get_dtype())) for name, s in slices.items()}
            chosen = _choose(encoder, path, kinds, tensor)
            embedding: Tensor = file.get_tensor(chosen)
    except (OSError, ValueError, SafetensorError) as error:
        why = (isinstance(error, OSError) and error.strerror) or reason(error)
        raise UsageError(
            f"There is no embedding to read in {shown(path)} ({why}): name a safetensors "
            "file, such as a matched.safetensors."
        ) from None
    notes = [f"the tensor {shown(chosen)}"]
    if not {"weights_sha256", "spec"} & about.keys():
        notes.append("the file does not say of which model it is")
    record = InputRecord("target", str(path), sha256, tuple(notes))
    return embedding.reshape(-1).to(encoder.device, encoder.pixel_dtype), record


def _require_same_model(encoder: Encoder, path: Path, about: Mapping[str, str]) -> None:
    """Compare what the file says with the encoder: its weights, else its spec; and the readout."""
    spec, weights = about.get("spec", "a model that it does not name"), about.get("weights_sha256")
    same = weights == encoder.weights_sha256 if weights is not None else about.get("spec", encoder.spec) == encoder.spec
    if not same:
        other = f"other weights of {spec}" if spec == encoder.spec else f"{spec}, not of {encoder.spec}"
        raise UsageError(f"The embedding in {shown(path)} is of {other}: name one of this model.")
    readout = about.get("readout", encoder.readout)
    if readout != encoder.readout:
        raise UsageError(
            f"The embedding in {shown(path)} is of the readout {readout}, not of {encoder.readout}: add --readout "
            f"{readout}, or name one of this readout."
        )


def _choose(encoder: Encoder, path: Path, kinds: Mapping[str, tuple[tuple[int, ...], str]], wanted: str | None) -> str:
    """Find the tensor's name."""
    size = encoder.embedding_dim
    fitting = [name for name, (shape, dtype) in kinds.items() if shape in {(size,), (1, size)} and dtype in FLOATS]
    if wanted is None and len(fitting) == 1:
        return fitting[0]
    if wanted in fitting:
        return wanted
    names = ", ".join(map(shown, fitting[:MOST_NAMED])) + (", ..." if len(fitting) > MOST_NAMED else "")
    if not fitting:
        held = ", ".join(f"{shown(name)} {shape} {dtype}" for name, (shape, dtype) in list(kinds.items())[:MOST_NAMED])
        raise UsageError(
            f"No tensor in {shown(path)} is an embedding of {encoder.spec}, {size} floating-point numbers: it holds "
            f"{held or 'nothing'}."
        )
    if wanted is None:
        raise UsageError(f"{shown(path)} holds {len(fitting)} embeddings: add one's name, as in FILE#NAME, of {names}.")
    what = (
        f"the tensor {shown(wanted)} of shape {kinds[wanted][0]}" if wanted in kinds else f"no tensor {shown(wanted)}"
    )
    raise UsageError(f"{shown(path)} holds {what}, which is no embedding of {encoder.spec}: choose from {names}.")
