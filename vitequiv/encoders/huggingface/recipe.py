"""What is special about one family of transformers models, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vitequiv.encoders.families import Readout
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

if TYPE_CHECKING:
    from torch import Tensor

HALF = (0.5, 0.5, 0.5)
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Architecture:
    """One class of transformers that a family's checkpoints are saved from.

    Args:
        name: The class, as in the `architectures` of config.json.
        encoder: Attribute that holds the encoder in it; empty if it is the encoder itself.
        classifier: Whether its output has the `logits` of a supervised classifier.
        norm: Attribute of a last layer norm that lies outside the encoder, if there is one.
        options: Arguments of its constructor.
        two_tower: Whether it has text as well and embeds images by `get_image_features`.
    """

    name: str
    encoder: str = ""
    classifier: bool = False
    norm: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    two_tower: bool = False


@dataclass(frozen=True)
class ProcessorDefaults:
    """The family's published processor settings, for a checkpoint that comes without a preprocessor_config.json.

    The classes of transformers are no substitute: most have other defaults today than in training.

    Args:
        filter: Resampling filter of a squash to a square.
        mean: Mean of each channel, in units of [0, 1].
        std: Standard deviation of each channel, in units of [0, 1].
        enlarged: Size of the resize for an input of 224 pixels; if it is more, the centre is cropped.
    """

    filter: Filter
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    enlarged: int = 224

    def at(self, size: tuple[int, int]) -> Preprocessing:
        """Scale the settings to an input size.

        Args:
            size: (H, W) of the network's input in pixels.

        Returns:
            The preprocessing.
        """
        resize = Resize(
            (size[0] * self.enlarged // 224, size[1] * self.enlarged // 224), ResizeMode.SQUASH, self.filter
        )
        crop = Crop(size, Rounding.HF) if self.enlarged != 224 else None
        return Preprocessing(resize, crop, self.mean, self.std)


@dataclass(frozen=True)
class Recipe:
    """How a family of transformers models is loaded and read.

    Args:
        model_type: The `model_type` of config.json.
        encoder: The architecture loaded unless the checkpoint was saved from one of `architectures`.
        architectures: Other classes that keep trained parts which the bare encoder would drop.
        readouts: The readouts on offer, the default first.
        prefix_tokens: Tokens before the patch tokens (class token, distillation token, registers); None if that and the
            readouts are to be found by looking at an output.
        processor: Settings for a checkpoint without a processor file; None to refuse it.
        configure: Changes to the configuration before the model is built.
        inputs: Further arguments of the forward pass for a batch of pixels, such as ViTMAE's noise.
    """

    model_type: str
    encoder: Architecture
    readouts: tuple[Readout, ...]
    architectures: tuple[Architecture, ...] = ()
    prefix_tokens: int | None = 0
    processor: ProcessorDefaults | None = None
    configure: dict[str, Any] | None = None
    inputs: Callable[[Any, Tensor], dict[str, Tensor]] | None = None
