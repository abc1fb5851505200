"""Loading an open_clip model, with its preprocessing and its text half."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitequiv.encoders.checkpoints.files import check_weight_file, check_weights
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.source import Wanted, fetch, local_directory, read_json
from vitequiv.encoders.checkpoints.verify import verify_preprocessing
from vitequiv.encoders.families import Readout
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.encoders.open_clip_models.names import WANTED, WEIGHT_FILES, parse_name, weight_file
from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

    from vitequiv.encoders.base import VisionTower

LOCAL, HUB = "local-dir:", "hf-hub:"
TOKENIZER_FILES = ("tokenizer*", "special_tokens_map.json", "vocab*", "merges.txt", "*.model", "config.json")


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
    import open_clip

    from vitequiv.encoders.base import TextTower, VisionTower
    from vitequiv.encoders.methods import Method
    from vitequiv.encoders.open_clip_models.tower import VisualTower

    spec = f"clip:{checkpoint}"
    directory = _directory(checkpoint, spec)
    if directory is not None:
        _check_directory(directory, spec)
        name = f"{LOCAL}{directory}"
        with loading(f"The checkpoint of {spec}"):
            model = open_clip.create_model(name, require_pretrained=True, weights_only=True)
    else:
        name, tag = parse_name(checkpoint, spec)
        file = weight_file(name, tag, spec)
        check_weight_file(file, spec)
        with loading(f"The checkpoint of {spec}"):
            model = open_clip.create_model(
                name,
                pretrained=str(file),
                require_pretrained=True,
                weights_only=True,
                force_preprocess_cfg=open_clip.get_pretrained_cfg(name, tag),  # a file alone gets OpenAI's
            )
    preprocessing, official = _preprocessing(model, spec)
    return VisionTower(
        module=VisualTower(model),
        preprocessing=preprocessing,
        text=TextTower(
            Method(model, "encode_text", normalize=False),
            _tokenizer(name, spec),
            float(model.logit_scale.detach().exp()),
        ),
        readout=readout,
        processors=lambda: (official,),
    )


def _directory(checkpoint: str, spec: str) -> Path | None:
    if checkpoint.startswith(HUB):
        return fetch(checkpoint.removeprefix(HUB), spec, WANTED)
    if checkpoint.startswith(LOCAL):
        directory = Path(checkpoint.removeprefix(LOCAL)).expanduser()
        if not directory.is_dir():
            raise ModelError(f"There is no directory {directory}: check the path in {spec}.")
        return directory
    return local_directory(checkpoint, spec)


def _check_directory(directory: Path, spec: str) -> None:
    path = directory / "open_clip_config.json"
    if not path.is_file():
        right = f"it may be a checkpoint of transformers, which is hf:{directory}"
        hint = right if (directory / "config.json").is_file() else "name one with open_clip's config and weights"
        raise ModelError(f"The directory {directory} of {spec} has no open_clip_config.json: {hint}.")
    if "model_cfg" not in read_json(path, spec):
        raise ModelError(f"The file {path} of {spec} has no model_cfg: write it as open_clip's push_to_hf_hub does.")
    check_weights(directory, spec, WEIGHT_FILES)


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


def _tokenizer(name: str, spec: str) -> Callable[[Sequence[str]], Tensor]:
    """Load the tokenizer when the first text comes: images alone need none, and it may have to come from the hub."""

    @cache
    def tokenizer() -> Any:
        import open_clip

        config = (open_clip.get_model_config(name) or {}).get("text_cfg", {})
        repo = config.get("hf_tokenizer_name")
        if name.startswith(LOCAL) or not repo:
            with loading(f"The tokenizer of {spec}"):
                return open_clip.get_tokenizer(name)
        directory = fetch(repo, spec, Wanted(weights=(TOKENIZER_FILES,)))  # without the hub's retries
        with loading(f"The tokenizer of {spec}"):
            return open_clip.HFTokenizer(
                str(directory),
                context_length=config.get("context_length", open_clip.tokenizer.DEFAULT_CONTEXT_LENGTH),
                tokenizer_mode=config.get("tokenizer_mode"),
                **config.get("tokenizer_kwargs", {}),
            )

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens: Tensor = tokenizer()(list(texts))
        return tokens

    return tokenize
