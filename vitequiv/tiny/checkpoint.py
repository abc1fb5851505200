"""Weights of the embedded default: one safetensors file with its configuration and provenance in the header."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from typing import TYPE_CHECKING

from vitequiv.errors import ModelError
from vitequiv.tiny.vocabulary import WORDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vitequiv.tiny.model import TinyClip

WEIGHTS_NAME = "tiny-clip.safetensors"
"""Name of the packaged file."""

_KEY = "tiny-clip"


def save(model: TinyClip, path: Path, provenance: Mapping[str, object]) -> None:
    """Write a model so that `load` can read it.

    The same model and provenance give the same bytes: safetensors writes several header entries in random order, so
    everything goes into one.

    Args:
        model: The model.
        path: File to write.
        provenance: What to record beside the configuration: seed, steps, accuracy, versions; plain JSON values.
    """
    from safetensors.torch import save as to_bytes

    header = {"config": dataclasses.asdict(model.config), "words": WORDS, "provenance": dict(provenance)}
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    # Not save_file: that makes the file readable by its owner alone.
    path.write_bytes(to_bytes(state, metadata={_KEY: json.dumps(header, sort_keys=True)}))


def load(path: Path) -> tuple[TinyClip, dict[str, object]]:
    """Read a file that `save` wrote.

    Args:
        path: The file.

    Returns:
        The model, in eval mode with frozen parameters on the CPU, and the recorded provenance.

    Raises:
        ModelError: If the file is missing, damaged, of another kind or for another vocabulary.
    """
    from safetensors import SafetensorError, safe_open

    from vitequiv.tiny.model import TinyClip, TinyClipConfig

    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})[_KEY])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        if tuple(header["words"]) != WORDS:
            raise ModelError(f"the weights in {path} were trained on another vocabulary; retrain or reinstall vitequiv")
        config = header["config"]
        model = TinyClip(TinyClipConfig(**{**config, "stem_widths": tuple(config["stem_widths"])}))
        model.load_state_dict(state, strict=True)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(
            f"{path} holds no tiny-clip weights that can be read ({type(error).__name__}); reinstall vitequiv"
        ) from error
    provenance: dict[str, object] = header["provenance"]
    return model.eval().requires_grad_(False), provenance


def load_tiny_clip() -> TinyClip:
    """Load the packaged weights.

    Returns:
        The model, in eval mode with frozen parameters, on the CPU in float32.
    """
    with resources.as_file(resources.files("vitequiv.tiny") / WEIGHTS_NAME) as path:
        model, _ = load(path)
    return model
