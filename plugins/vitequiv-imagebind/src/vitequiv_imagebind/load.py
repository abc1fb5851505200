"""From a checkpoint's name to the tower that vitequiv takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from vitequiv.encoders.base import TextTower, VisionTower
from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.checkpoints.verify import verify_preprocessing
from vitequiv.encoders.families import Readout
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding
from vitequiv_imagebind.files import find, read
from vitequiv_imagebind.heads import find_heads
from vitequiv_imagebind.keys import convert
from vitequiv_imagebind.towers import END_OF_TEXT, ImageTower, WordTower, build_image_model, build_text_model

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def load_imagebind(checkpoint: str, readout: Readout) -> VisionTower:
    """Load ImageBind.

    Args:
        checkpoint: `imagebind_huge`, or the path of a checkpoint file.
        readout: The unit vector (pooler) or the projection before it.

    Returns:
        The tower, with its text half. The tokenizer is made when the first text comes.

    Raises:
        ModelError: If the weights cannot be had, or are not ImageBind's.
    """
    spec = f"imagebind:{checkpoint}"
    path = find(checkpoint, spec)
    with loading(f"The checkpoint of {spec}"):
        state, _ = read(path, spec)
        parts = convert(state, spec)
        if parts.vocabulary != END_OF_TEXT + 1:
            raise ModelError(
                f"The checkpoint {spec} has {parts.vocabulary} tokens, its tokenizer {END_OF_TEXT + 1}: "
                "it is not ImageBind's."
            )
        heads = find_heads(path, parts.vision.width, parts.text.width, spec)
        vision, text = build_image_model(parts, heads, spec), build_text_model(parts, heads, spec)
        preprocessing, official = _preprocessing(parts.image_size, spec)
    unit = readout is Readout.POOLER
    return VisionTower(
        module=ImageTower(vision, unit),
        preprocessing=preprocessing,
        text=TextTower(WordTower(text, unit), _tokenizer(parts.context), float(parts.logit_scale)),
        readout=readout,
        processors=lambda: (official,),
    )


def _preprocessing(size: int, spec: str) -> tuple[Preprocessing, OfficialProcessor]:
    """CLIP's preprocessing, and the transforms of torchvision that `load_and_transform_vision_data` makes of it."""
    from torchvision import transforms

    square = (size, size)
    preprocessing = Preprocessing(
        resize=Resize(square, ResizeMode.SHORTEST, Filter.BICUBIC),
        crop=Crop(square, Rounding.TORCHVISION),
        mean=MEAN,
        std=STD,
    )
    transform = transforms.Compose([
        transforms.Resize(size, interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize(mean=MEAN, std=STD),
    ])

    def process(image: Image.Image) -> Tensor:
        pixels: Tensor = transform(image.convert("RGB"))
        return pixels

    verify_preprocessing(preprocessing, lambda image: process(image).numpy(), "torchvision.transforms", spec)
    return preprocessing, OfficialProcessor("Compose", "torchvision", "pil", process, exact=True)


def _tokenizer(context: int) -> Callable[[Sequence[str]], Tensor]:
    """Make open_clip's tokenizer when the first text comes: its import takes seconds, and images need none."""

    @cache
    def tokenizer() -> Any:
        from open_clip.tokenizer import SimpleTokenizer

        return SimpleTokenizer(context_length=context)

    def tokenize(texts: Sequence[str]) -> Tensor:
        tokens: Tensor = tokenizer()(list(texts))
        return tokens

    return tokenize
