"""Loading a timm model with its own weights, preprocessing and labels."""

from __future__ import annotations

import difflib
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitequiv.encoders.checkpoints.files import check_weight_file, check_weights
from vitequiv.encoders.checkpoints.held import read_held
from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.quiet import loading, quiet
from vitequiv.encoders.checkpoints.settings import Settings, brief
from vitequiv.encoders.checkpoints.source import LOCAL, Wanted, fetch, prefixed_directory, read_json
from vitequiv.encoders.checkpoints.staging import staged
from vitequiv.encoders.checkpoints.verify import verify_preprocessing
from vitequiv.encoders.families import Readout
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.encoders.timm_models.settings import timm_settings
from vitequiv.errors import ModelError, UsageError
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from vitequiv.encoders.base import ClassificationHead, VisionTower

CONFIG = "config.json"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin", "*model.pth", "*.safetensors", "*.pth", "*.bin")
"""In the order in which timm looks for them; a pickle is refused where it would take one."""
WANTED = Wanted(weights=(("model.safetensors",),), others=("config.json",))


def load_timm(checkpoint: str, readout: Readout) -> VisionTower:
    """Load a timm model.

    Args:
        checkpoint: A timm name with or without a tag, a directory, `local-dir:DIR` or `hf-hub:OWNER/NAME`.
        readout: Which vector is the embedding.

    Returns:
        The tower.

    Raises:
        ModelError: If the name is unknown, the weights cannot be had, or the model is not one of RGB images.
        UsageError: If the model has no such readout.
    """
    from vitequiv.encoders.base import VisionTower
    from vitequiv.encoders.timm_models.tower import TimmTower

    spec = f"timm:{checkpoint}"
    directory = prefixed_directory(checkpoint, spec, WANTED)
    model = _from_directory(directory, spec) if directory else _from_name(checkpoint, spec)
    model.eval()
    has_class_token = getattr(model, "num_prefix_tokens", 0) > 0 and getattr(model, "cls_token", None) is not None
    if readout is Readout.CLS and not has_class_token:
        raise UsageError(f"The model {spec} has no class token: choose --readout pooler or mean.")
    preprocessing, official = _preprocessing(model, spec)
    return VisionTower(TimmTower(model, readout), preprocessing, _head(model), processors=lambda: (official,))


def _from_directory(directory: Path, spec: str) -> Any:
    import timm

    if own_file(directory, CONFIG, spec) is None:
        raise ModelError(f"The directory {directory} of {spec} has no config.json: name one of timm's save_for_hf.")
    content = read_json(directory / CONFIG, spec)
    architecture = content.get("architecture")
    if architecture is None:
        kind = content.get("model_type")
        hint = (
            f"it holds a {brief(kind)} checkpoint of transformers: use hf:{directory}"
            if kind
            else "use one of save_for_hf"
        )
        raise ModelError(f"The directory {directory} of {spec} is none of timm's, {hint}.")
    if not isinstance(architecture, str) or not timm.is_model(architecture):
        raise _unknown(str(architecture), spec)
    weights = check_weights(directory, spec, WEIGHT_FILES)
    settings = timm_settings(content, Settings(CONFIG, spec, weights.held))
    from vitequiv.encoders.checkpoints.budget import budget

    with (
        staged({CONFIG: settings, WEIGHT_FILES[0]: weights.first}, directory) as folder,
        loading(f"The checkpoint of {spec}"),
        budget(weights.held, settings, CONFIG, spec),
    ):
        return timm.create_model(f"{LOCAL}{folder}", pretrained=True)


def _from_name(name: str, spec: str) -> Any:
    """Create a model by name; its weights come through `fetch`, which does not retry where there is no network."""
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise _unknown(name, spec)
    with quiet():
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{architecture}.*")]
    if not tags or (tag and tag not in tags):
        known = f"it has {', '.join(tags)}" if tags else "timm has none for this architecture"
        raise ModelError(f"There are no weights {tag or 'at all'} for {architecture} in {spec}: {known}.")
    cfg = timm.get_pretrained_cfg(name)
    if not cfg.hf_hub_id:
        raise ModelError(
            f"timm has the weights of {spec} only as a pickle on a web server, which is never fetched: "
            "name a directory."
        )
    file = _weight_file(cfg, spec)
    check_weight_file(file, spec)
    # The hub's copies are in timm's own format.
    overlay = {"file": str(file), "custom_load": cfg.custom_load == "hf"}
    read_held((file,), spec)
    with loading(f"The checkpoint of {spec}"):
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)


def _weight_file(cfg: Any, spec: str) -> Path:
    name = str(Path(cfg.hf_hub_filename or "model.safetensors").with_suffix(".safetensors"))
    return fetch(cfg.hf_hub_id, spec, Wanted(weights=((name,),))) / name


def _unknown(name: str, spec: str) -> ModelError:
    import timm

    near = difflib.get_close_matches(name.partition(".")[0], timm.list_models(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see timm.list_models()."
    return ModelError(f"timm has no model {brief(repr(name))} ({spec}): {hint}")


def _preprocessing(model: Any, spec: str) -> tuple[Preprocessing, OfficialProcessor]:
    from timm.data import create_transform, resolve_model_data_config

    with loading(f"The data configuration of {spec}"):
        config = resolve_model_data_config(model)
        transform = create_transform(**config, is_training=False)
    channels, *size = config["input_size"]
    if channels != 3:
        raise ModelError(f"The model {spec} takes {channels} channels: vitequiv measures encoders of RGB images.")
    height, width = size
    scaled = (math.floor(height / config["crop_pct"]), math.floor(width / config["crop_pct"]))
    mean, std = tuple(config["mean"]), tuple(config["std"])
    mode = {"squash": ResizeMode.SQUASH, "border": ResizeMode.LONGEST}.get(config["crop_mode"], ResizeMode.SHORTEST)
    red, green, blue = (round(255 * value) for value in mean)
    fill = (red, green, blue) if mode is ResizeMode.LONGEST else 0
    try:
        resize = Resize(scaled, mode, Filter.from_name(config["interpolation"]))
    except ValueError as error:
        raise ModelError(f"The data configuration of {spec} cannot be reproduced: {error}.") from None
    preprocessing = Preprocessing(resize, Crop((height, width), Rounding.TORCHVISION, fill), mean, std)

    def official(image: Image.Image) -> NDArray[np.float32]:
        pixels: NDArray[np.float32] = transform(image).numpy()
        return pixels

    verify_preprocessing(preprocessing, official, "timm.data.create_transform", spec)
    return preprocessing, OfficialProcessor("create_transform", "timm", "pil", transform, exact=True)


def _head(model: Any) -> ClassificationHead | None:
    from vitequiv.encoders.base import ClassificationHead

    # timm makes the classifier afresh, silently, where the sizes differ.
    if not model.num_classes or model.num_classes != model.pretrained_cfg.get("num_classes"):
        return None
    return ClassificationHead(model, _labels(model))


def _labels(model: Any) -> tuple[str, ...]:
    from timm.data import ImageNetInfo

    names = model.pretrained_cfg.get("label_names")
    if names:
        descriptions = model.pretrained_cfg.get("label_descriptions") or {}
        ordered = [names[key] for key in sorted(names, key=int)] if isinstance(names, dict) else list(names)
        return tuple(str(descriptions.get(name, name)) for name in ordered)
    if model.num_classes == 1000:
        info = ImageNetInfo()
        return tuple(info.index_to_description(index) for index in range(1000))
    return tuple(str(index) for index in range(model.num_classes))
