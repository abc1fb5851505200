"""Loading an open_clip model, with its preprocessing and its text half."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitequiv.encoders.checkpoints.files import check_weight_file, check_weights
from vitequiv.encoders.checkpoints.held import Held, read_held
from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.settings import Settings
from vitequiv.encoders.checkpoints.source import LOCAL, Wanted, fetch, prefixed_directory, read_json
from vitequiv.encoders.checkpoints.staging import staged
from vitequiv.encoders.checkpoints.verify import verify_preprocessing
from vitequiv.encoders.families import Readout
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.encoders.open_clip_models.names import SAFE_NAMES, WANTED, WEIGHT_FILES, parse_name, weight_file
from vitequiv.encoders.open_clip_models.settings import OpenClipSettings, open_clip_settings
from vitequiv.encoders.open_clip_models.text import fetched_text_settings, no_text, text_model_settings
from vitequiv.encoders.open_clip_models.tokenizer import DATA_FILES, open_clip_tokenizer
from vitequiv.encoders.open_clip_models.tokenizer import WANTED as TOKENIZER_WANTED
from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from vitequiv.encoders.base import VisionTower

CONFIG = "open_clip_config.json"
TEXT_FOLDER = "text"


def load_open_clip(checkpoint: str, readout: Readout) -> VisionTower:
    """Load an open_clip model.

    Args:
        checkpoint: `ARCH/TAG`, a directory, `local-dir:DIR` or `hf-hub:OWNER/NAME`.
        readout: The projection, the only one.

    Returns:
        The tower, with its text half. The tokenizer is loaded when the first text comes.

    Raises:
        ModelError: If the name is unknown, the weights cannot be had, or the preprocessing cannot be reproduced.
    """
    from vitequiv.encoders.base import TextTower, VisionTower
    from vitequiv.encoders.methods import Method
    from vitequiv.encoders.open_clip_models.tower import VisualTower

    spec = f"clip:{checkpoint}"
    directory = prefixed_directory(checkpoint, spec, WANTED)
    found = _from_directory(directory, spec) if directory else _from_name(checkpoint, spec)
    model = _create(found, spec)
    preprocessing, official = _preprocessing(model, spec)
    if found.without_text:
        assert found.settings.text_model is not None, "open_clip's own text halves are always made"
        tokenize = no_text(found.settings.text_model, spec)
    else:
        tokenize = _tokenizer(found, spec)
    return VisionTower(
        module=VisualTower(model),
        preprocessing=preprocessing,
        text=TextTower(
            Method(model, "encode_text", normalize=False), tokenize, float(model.logit_scale.detach().exp())
        ),
        readout=readout,
        processors=lambda: (official,),
    )


@dataclass(frozen=True)
class _Found:
    """A checkpoint, read and checked.

    Args:
        settings: What is read of its configuration.
        weights: Where its weight file lies.
        held: What that holds.
        file: What the configuration is called.
        where: Its directory; None for a name of open_clip's.
        text: What is read of the text half's configuration, if that is a model of transformers and it is there.
        preprocess: What the preprocessing is, whatever the model says.
    """

    settings: OpenClipSettings
    weights: Path
    held: Held
    file: str
    where: Path | None
    text: Mapping[str, Any] | None
    preprocess: Mapping[str, Any] | None = None

    @property
    def without_text(self) -> bool:
        """Whether the text half cannot be made."""
        return self.settings.text_model is not None and self.text is None


def _from_directory(directory: Path, spec: str) -> _Found:
    if own_file(directory, CONFIG, spec) is None:
        right = f"it may be a checkpoint of transformers, which is hf:{directory}"
        hint = right if (directory / "config.json").is_file() else "name one with open_clip's config and weights"
        raise ModelError(f"The directory {directory} of {spec} has no open_clip_config.json: {hint}.")
    content = read_json(directory / CONFIG, spec)
    if "model_cfg" not in content:
        raise ModelError(
            f"The file {directory / CONFIG} of {spec} has no model_cfg: write it as open_clip's push_to_hf_hub does."
        )
    weights = check_weights(directory, spec, WEIGHT_FILES)
    settings = open_clip_settings(content, Settings(CONFIG, spec, weights.held))
    reader = Settings("config.json", spec, weights.held)
    text = text_model_settings(directory, reader) if settings.text_model else None
    return _Found(settings, weights.first, weights.held, CONFIG, directory, text)


def _from_name(checkpoint: str, spec: str) -> _Found:
    import open_clip

    name, tag = parse_name(checkpoint, spec)
    file = weight_file(name, tag, spec)
    check_weight_file(file, spec)
    held = read_held((file,), spec)
    title = f"configuration {name}"
    settings = open_clip_settings({"model_cfg": open_clip.get_model_config(name)}, Settings(title, spec, held))
    repository = settings.text_model
    text = fetched_text_settings(repository, Settings("config.json", spec, held)) if repository else None
    # A file alone gets OpenAI's preprocessing.
    return _Found(settings, file.resolve(), held, title, None, text, open_clip.get_pretrained_cfg(name, tag))


def _create(found: _Found, spec: str) -> Any:
    """Let open_clip make a model from a directory with these settings and this weight file alone."""
    import open_clip

    from vitequiv.encoders.checkpoints.budget import budget

    network = dict(found.settings.model)
    if found.without_text:
        network = _without_text(network)
    contents: dict[str, Any] = {SAFE_NAMES[0]: found.weights}
    if found.text is not None:
        contents[f"{TEXT_FOLDER}/config.json"] = found.text
    with (
        staged(contents, found.where or spec) as folder,
        loading(f"The checkpoint of {spec}"),
        budget(found.held, network, found.file, spec),
    ):
        if found.text is not None:  # open_clip reads the configuration there, and no weights
            network["text_cfg"] = {**network["text_cfg"], "hf_model_name": str(folder / TEXT_FOLDER)}
        content = {"model_cfg": network, "preprocess_cfg": found.settings.preprocess}
        (folder / CONFIG).write_text(json.dumps(content), encoding="utf-8")
        model = open_clip.create_model(
            f"{LOCAL}{folder}",
            load_weights=not found.without_text,
            require_pretrained=not found.without_text,
            weights_only=True,
            force_preprocess_cfg=found.preprocess,
        )
        if found.without_text:
            _load_image_half(model, found.weights)
        return model


def _without_text(network: Mapping[str, Any]) -> dict[str, Any]:
    """The same network with the smallest text half there is, which is never used."""
    kept = {key: value for key, value in network.items() if key != "multimodal_cfg"}
    text = {"width": 8, "heads": 1, "layers": 1, "vocab_size": 8, "context_length": 4}
    return {**kept, "custom_text": True, "text_cfg": text}


def _load_image_half(model: Any, file: Path) -> None:
    """Load what belongs to the images, all of it, as open_clip does for both halves."""
    from open_clip.model import resize_pos_embed
    from safetensors.torch import load_file

    state = {key.removeprefix("module."): tensor for key, tensor in load_file(file).items()}
    resize_pos_embed(state, model)
    prefix = "visual."
    model.visual.load_state_dict({
        key.removeprefix(prefix): tensor for key, tensor in state.items() if key.startswith(prefix)
    })
    model.logit_scale.data.copy_(state["logit_scale"].reshape(model.logit_scale.shape))


def _preprocessing(model: Any, spec: str) -> tuple[Preprocessing, OfficialProcessor]:
    # As open_clip does it: to another shape than a square, a shortest-edge resize is bicubic whatever the setting says.
    from open_clip.transform import PreprocessCfg, image_transform_v2

    with loading(f"The preprocessing of {spec}"):
        config = PreprocessCfg(**model.visual.preprocess_cfg)
        transform = image_transform_v2(config, is_train=False)
    height, width = config.size if isinstance(config.size, (tuple, list)) else (config.size, config.size)
    size = (int(height), int(width))
    mode = ResizeMode(config.resize_mode)
    bilinear = config.interpolation == "bilinear" and not (mode is ResizeMode.SHORTEST and height != width)
    resize = Resize(size, mode, Filter.BILINEAR if bilinear else Filter.BICUBIC)
    fill = int(config.fill_color) if mode is ResizeMode.LONGEST else 0
    crop = None if mode is ResizeMode.SQUASH else Crop(size, Rounding.TORCHVISION, fill)
    preprocessing = Preprocessing(resize, crop, _three(config.mean), _three(config.std))

    def official(image: Image.Image) -> NDArray[np.float32]:
        pixels: NDArray[np.float32] = transform(image).numpy()
        return pixels

    verify_preprocessing(preprocessing, official, "open_clip.image_transform_v2", spec)
    return preprocessing, OfficialProcessor("image_transform_v2", "open_clip", "pil", transform, exact=True)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = map(float, values)
    return first, second, third


def _tokenizer(found: _Found, spec: str) -> Callable[[Sequence[str]], Tensor]:
    """Load the tokenizer when the first text comes: images alone need none, and it may have to come from the hub."""

    def directory() -> Path:
        name = found.settings.tokenizer_name
        if found.where is not None or name is None:  # without the hub's retries
            return found.where or Path()
        return fetch(name, spec, Wanted(weights=(DATA_FILES,), others=(*TOKENIZER_WANTED, "config.json")))

    @cache
    def tokenizer() -> Callable[[Sequence[str]], Tensor]:
        return open_clip_tokenizer(found.settings, directory, spec)

    def tokenize(texts: Sequence[str]) -> Tensor:
        made = tokenizer()
        with loading(f"The tokenizer of {spec}, on these texts,"):
            return made(list(texts))

    return tokenize
