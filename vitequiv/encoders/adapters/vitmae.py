"""ViTMAE (He et al. 2021, arXiv 2111.06377), by transformers.

Default readout: the class token after the last layer norm, which the authors' linear probe reads; their fine-tuning
averages the patch tokens instead (`mean`). There is no pooler and no classifier.

Left to itself the model drops three quarters of the patches at random, in eval mode too, and shuffles the rest. A mask
ratio of 0 with noise in ascending order keeps all patches in their places; the result equals a plain ViT's bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.family import recipe_family
from vitequiv.encoders.huggingface.recipe import IMAGENET_MEAN, IMAGENET_STD, Architecture, ProcessorDefaults, Recipe
from vitequiv.images.preprocessing import Filter

if TYPE_CHECKING:
    from torch import Tensor


def ordered_noise(config: Any, pixels: Tensor) -> dict[str, Tensor]:
    """Noise whose argsort leaves every patch in its place; zeros would not, since argsort is not stable.

    Args:
        config: The model's configuration.
        pixels: Normalised images (B, 3, H, W).

    Returns:
        The argument `noise` of the forward pass, (B, patches).
    """
    import torch

    patches = (pixels.shape[2] // config.patch_size) * (pixels.shape[3] // config.patch_size)
    return {"noise": torch.arange(patches, device=pixels.device).expand(len(pixels), -1)}


RECIPE = Recipe(
    model_type="vit_mae",
    encoder=Architecture("ViTMAEModel"),
    readouts=(Readout.CLS, Readout.MEAN),
    prefix_tokens=1,
    processor=ProcessorDefaults(Filter.BICUBIC, IMAGENET_MEAN, IMAGENET_STD),
    configure={"mask_ratio": 0.0},  # the strict configuration takes no integer here
    inputs=ordered_noise,
)

FAMILY = recipe_family(
    name="vitmae",
    summary="Masked autoencoder ViT, masking turned off (transformers).",
    recipe=RECIPE,
    default_checkpoint="facebook/vit-mae-base",
    source="class token, as the authors' linear probe (arXiv 2111.06377)",
)
