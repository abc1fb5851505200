"""A checkpoint's config.json: is this the family the user named, and if not, which is it?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vitequiv.encoders.checkpoints.files import INDEX
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.source import Wanted, read_json
from vitequiv.errors import ModelError

HUB_FILES = Wanted(
    weights=(
        ("model.safetensors",),
        (INDEX, "model-*.safetensors"),
    ),
    others=("config.json", "preprocessor_config.json", "processor_config.json"),
)

WEIGHT_FILES = ("model.safetensors", INDEX, "pytorch_model*.bin")
"""In the order in which transformers looks for them; the last is refused by name."""

FAMILY_OF_TYPE = {"beit": "beit", "swin": "swin", "deit": "deit", "vit_mae": "vitmae", "vit_msn": "vitmsn"}
"""Our name of each transformers model type that has a family of its own."""


def read_config(directory: Path, spec: str) -> Any:
    """Read a directory's configuration as transformers does, without running any code that came with it.

    Args:
        directory: The checkpoint's directory.
        spec: The encoder spec, for messages.

    Returns:
        The transformers configuration.

    Raises:
        ModelError: If there is no config.json, or it is another library's or no model of transformers.
    """
    path = directory / "config.json"
    if (directory / "open_clip_config.json").is_file():
        raise ModelError(f"The directory {directory} of {spec} holds an open_clip checkpoint: use clip:{directory}.")
    if not path.is_file():
        raise ModelError(
            f"The directory {directory} of {spec} has no config.json: name a directory of save_pretrained."
        )
    content = read_json(path, spec)
    if "architecture" in content and "model_type" not in content:
        raise ModelError(f"The directory {directory} of {spec} holds a timm checkpoint: use timm:{directory}.")

    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = content.get("model_type")
    if model_type not in CONFIG_MAPPING:
        raise ModelError(
            f"The config.json of {spec} names the model type {model_type!r}, which transformers does not have "
            "(code that comes with a checkpoint is never run)."
        )
    with loading(f"The config.json of {spec}"):
        return AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)


def require_type(config: Any, model_type: str, directory: Path, spec: str) -> None:
    """Check that a checkpoint is of the family the user named; transformers would load it as any other.

    Args:
        config: The transformers configuration.
        model_type: The type it must have.
        directory: The checkpoint's directory.
        spec: The encoder spec, for messages.

    Raises:
        ModelError: If it is another type; the spec that fits is named.
    """
    if config.model_type != model_type:
        right = FAMILY_OF_TYPE.get(config.model_type, "hf")
        checkpoint = spec.partition(":")[2]
        raise ModelError(
            f"The checkpoint of {spec} is not a {model_type} model, it holds a {config.model_type} checkpoint: "
            f"use {right}:{checkpoint or directory}."
        )


def image_size(config: Any) -> tuple[int, int] | None:
    """The input size a configuration states.

    Args:
        config: The transformers configuration.

    Returns:
        (H, W) in pixels, or None if it states none.
    """
    size = getattr(config, "image_size", None)
    if isinstance(size, int):
        return size, size
    if isinstance(size, (list, tuple)) and len(size) == 2:
        return int(size[0]), int(size[1])
    return None
