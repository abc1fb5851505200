"""A checkpoint's config.json: is this the family the user named, and if not, which is it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitequiv.encoders.checkpoints.files import INDEX, Weights, check_weights
from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.settings import Settings, brief
from vitequiv.encoders.checkpoints.source import Wanted, read_json
from vitequiv.encoders.checkpoints.staging import staged
from vitequiv.encoders.huggingface.generic import is_image_encoder
from vitequiv.encoders.huggingface.settings import model_settings
from vitequiv.errors import ModelError

CONFIG = "config.json"

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


@dataclass(frozen=True)
class Checkpoint:
    """A directory of `save_pretrained`, read and checked.

    Args:
        directory: The directory.
        spec: The encoder spec, for messages.
        settings: What is handed on of its config.json.
        weights: Its weight files.
        config: The configuration that transformers makes of the settings.
    """

    directory: Path
    spec: str
    settings: Mapping[str, Any]
    weights: Weights
    config: Any

    @contextmanager
    def shown(self) -> Iterator[Path]:
        """Lay out for transformers what was checked, and nothing else.

        Yields:
            The folder.
        """
        index = {INDEX: {"metadata": {}, "weight_map": self.weights.index}} if self.weights.index else {}
        with staged({"config.json": self.settings, **index, **self.weights.files}, self.directory) as folder:
            yield folder


def read_checkpoint(directory: Path, spec: str) -> Checkpoint:
    """Read a directory's configuration as transformers does, without running any code that came with it.

    Args:
        directory: The checkpoint's directory.
        spec: The encoder spec, for messages.

    Returns:
        The checkpoint.

    Raises:
        ModelError: If there is no config.json, it is another library's or no image encoder of transformers, leads
            elsewhere, or asks for more than the weights hold; or if the weights cannot be used.
    """
    if own_file(directory, "open_clip_config.json", spec):
        raise ModelError(f"The directory {directory} of {spec} holds an open_clip checkpoint: use clip:{directory}.")
    if own_file(directory, CONFIG, spec) is None:
        raise ModelError(
            f"The directory {directory} of {spec} has no config.json: name a directory of save_pretrained."
        )
    content = read_json(directory / CONFIG, spec)
    if "architecture" in content and "model_type" not in content:
        raise ModelError(f"The directory {directory} of {spec} holds a timm checkpoint: use timm:{directory}.")
    config_class = _config_class(content, spec)
    weights = check_weights(directory, spec, WEIGHT_FILES)
    settings = model_settings(content, config_class, Settings(CONFIG, spec, weights.held))

    from transformers import AutoConfig

    with staged({CONFIG: settings}, directory) as folder, loading(f"The config.json of {spec}"):
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return Checkpoint(directory, spec, settings, weights, config)


def _config_class(content: Mapping[str, Any], spec: str) -> Any:
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    model_type = content.get("model_type")
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        raise ModelError(
            f"The config.json of {spec} names the model type {brief(repr(model_type))}, which transformers does not "
            "have (code that comes with a checkpoint is never run)."
        )
    if not is_image_encoder(model_type):
        raise ModelError(f"The checkpoint of {spec} holds a {model_type} model, which is no image encoder.")
    return CONFIG_MAPPING[model_type]


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
