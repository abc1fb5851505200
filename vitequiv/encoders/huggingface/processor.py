"""A checkpoint's own image processor as a `Preprocessing`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.settings import Settings
from vitequiv.encoders.checkpoints.source import read_json
from vitequiv.encoders.checkpoints.staging import staged
from vitequiv.encoders.checkpoints.verify import verify_preprocessing
from vitequiv.encoders.huggingface.config import CONFIG, Checkpoint
from vitequiv.encoders.huggingface.settings import processor_settings
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import Tensor

PROCESSOR, NESTED = "preprocessor_config.json", "processor_config.json"

_NOT_MADE = ("LayoutLM", "OneFormer", "Pix2Struct")
"""Processors that do more than prepare an image: they start a program that reads text, or fetch labels."""

ProcessorSettings = Mapping[str, Any]
"""What is handed on of an image processor's file."""


def read_settings(checkpoint: Checkpoint) -> ProcessorSettings | None:
    """Read a checkpoint's file of image processor settings.

    Args:
        checkpoint: The checkpoint.

    Returns:
        The settings to hand on; None if there is no such file.

    Raises:
        ModelError: If it cannot be read, leads elsewhere, asks for images that are too large, or for a processor that
            does more than prepare an image.
    """
    directory, spec = checkpoint.directory, checkpoint.spec
    file, content = NESTED, None
    if own_file(directory, NESTED, spec):  # as transformers looks for them
        content = read_json(directory / NESTED, spec).get("image_processor")
    if content is None and own_file(directory, PROCESSOR, spec):
        file, content = PROCESSOR, read_json(directory / PROCESSOR, spec)
    if content is None:
        return None
    reader = Settings(file, spec, checkpoint.weights.held)
    settings = processor_settings(reader.section("image_processor", content), reader)
    kind = str(settings.get("image_processor_type", ""))
    if kind.startswith(_NOT_MADE):
        raise reader.refuse("image_processor_type", kind, "which does more than prepare an image")
    return settings


def _make(settings: ProcessorSettings, checkpoint: Checkpoint, **options: Any) -> Any:
    """Make the processor of these settings; where they do not name its class it is that of the model's type."""
    from transformers import AutoImageProcessor

    model = {
        key: checkpoint.settings[key] for key in ("model_type", "image_processor_type") if key in checkpoint.settings
    }
    with (
        staged({PROCESSOR: settings, CONFIG: model}, checkpoint.directory) as folder,
        loading(f"The image processor of {checkpoint.spec}"),
    ):
        processor = AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, **options
        )
    if getattr(processor, "apply_ocr", False):
        raise ModelError(
            f"The image processor of {checkpoint.spec} reads text, by another program, which is never run."
        )
    return processor


def read_processor(settings: ProcessorSettings, checkpoint: Checkpoint) -> Preprocessing:
    """Describe a processor by our means and check the description against the processor itself.

    The settings are those of the processor object on its Pillow backend, so a file that leaves some out gets its own
    class's defaults, as in transformers.

    Args:
        settings: The processor's settings.
        checkpoint: The checkpoint that they are of.

    Returns:
        The preprocessing.

    Raises:
        ModelError: If the settings cannot be read, or ask for something a `Preprocessing` cannot express.
    """
    spec = checkpoint.spec
    processor = _make(settings, checkpoint, backend="pil")
    name = type(processor).__name__.removesuffix("Pil")
    preprocessing = _describe(processor, spec)

    def official(image: Image.Image) -> NDArray[np.float32]:
        with loading(f"The image processor {name} of {spec}"):
            pixels: NDArray[np.float32] = np.asarray(processor(images=image, return_tensors="np")["pixel_values"][0])
        return pixels

    verify_preprocessing(preprocessing, official, name, spec)
    return preprocessing


def official_processors(settings: ProcessorSettings, checkpoint: Checkpoint) -> tuple[OfficialProcessor, ...]:
    """Load the processors that users get: the default one, and the one on the Pillow backend.

    Args:
        settings: The processor's settings.
        checkpoint: The checkpoint that they are of.

    Returns:
        One or two, the default first: where torchvision is installed it is the torchvision backend, which resizes by
        its own rounding (see `docs/explanation/preprocessing.md`). A default that cannot be used is left out.

    Raises:
        ModelError: If the one on Pillow cannot be loaded.
    """
    from PIL import Image

    def make(**options: Any) -> OfficialProcessor:
        processor = _make(settings, checkpoint, **options)
        name = type(processor).__name__
        on_pillow = name.endswith("Pil")

        def process(image: Image.Image) -> Tensor:
            with loading(f"An image in the processor {name} of {checkpoint.spec}"):
                pixels: Tensor = processor(images=image, return_tensors="pt")["pixel_values"][0]
            return pixels

        return OfficialProcessor(name, "transformers", "pil" if on_pillow else "torchvision", process, on_pillow)

    pillow = make(backend="pil")
    try:
        default = make()
        default.process(Image.new("RGB", (32, 32)))
    except ModelError:  # nobody can use it, so nothing has to hold through it
        return (pillow,)
    return (pillow,) if default.name == pillow.name else (default, pillow)


def _describe(processor: Any, spec: str) -> Preprocessing:
    def refuse(setting: str, remedy: str) -> ModelError:
        return ModelError(
            f"The image processor of {spec} asks for {setting}, which vitequiv cannot reproduce: {remedy}."
        )

    def get(name: str) -> Any:
        return getattr(processor, name, None)

    if get("do_pad"):
        raise refuse(f"do_pad with pad_size {get('pad_size')}", "set do_pad to false in preprocessor_config.json")
    if not get("do_rescale"):
        raise refuse("do_rescale false", "only pixels scaled to [0, 1] are supported")
    if not math.isclose(get("rescale_factor"), 1 / 255, rel_tol=1e-6):
        raise refuse(f"rescale_factor {get('rescale_factor')}", "only 1/255 is supported")

    resize, crop = _resize(processor, refuse), None
    if get("do_center_crop") and get("crop_size") is not None:
        crop = Crop((_edge(get("crop_size"), "height"), _edge(get("crop_size"), "width")), Rounding.HF)
    if resize is None and crop is None:
        raise refuse("do_resize false without do_center_crop", "one of them must fix the input size")
    crop_pct = get("crop_pct")
    if crop_pct is not None and resize is not None and resize.mode is ResizeMode.SHORTEST and crop is None:
        resize, crop = _convnext(resize, crop_pct)
    if crop is None and resize is not None and resize.mode is not ResizeMode.SQUASH:
        raise refuse(f"size {dict(get('size'))} without do_center_crop", "the input size would vary with the image")
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if get("do_normalize"):
        mean, std = _three(get("image_mean")), _three(get("image_std"))
    return Preprocessing(resize, crop, mean, std)


def _resize(processor: Any, refuse: Any) -> Resize | None:
    if not processor.do_resize:
        return None
    size = {key: value for key, value in dict(processor.size).items() if value is not None}
    try:
        resample = Filter.from_pillow(int(processor.resample))
    except (TypeError, ValueError):
        raise refuse(f"resample {processor.resample!r}", "only Pillow's filters 0 to 5 are supported") from None
    if size.keys() == {"height", "width"}:
        return Resize((int(size["height"]), int(size["width"])), ResizeMode.SQUASH, resample)
    if size.keys() == {"shortest_edge"}:
        return Resize((int(size["shortest_edge"]),) * 2, ResizeMode.SHORTEST, resample)
    raise refuse(f"size {size}", "only height and width, or shortest_edge, are supported")


def _convnext(resize: Resize, crop_pct: float) -> tuple[Resize, Crop | None]:
    """ConvNeXt's rule: below 384 enlarge the resize by 1 / crop_pct and crop, from 384 on squash."""
    edge = resize.size[0]
    if edge >= 384:
        return Resize((edge, edge), ResizeMode.SQUASH, resize.filter), None
    return Resize((int(edge / crop_pct),) * 2, ResizeMode.SHORTEST, resize.filter), Crop((edge, edge), Rounding.HF)


def _edge(size: Any, name: str) -> int:
    return int(dict(size)[name])


def _three(values: Any) -> tuple[float, float, float]:
    sequence = [float(values)] * 3 if isinstance(values, (int, float)) else [float(value) for value in values]
    first, second, third = sequence
    return first, second, third
