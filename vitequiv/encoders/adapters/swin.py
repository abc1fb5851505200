"""Swin Transformer (Liu et al. 2021, arXiv 2103.14030), by transformers.

Default readout: the pooler, the mean over all positions after the last layer norm, the input of the paper's classifier
(section 3.3). There is no class token; `mean` is the same vector.
"""

from __future__ import annotations

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.family import recipe_family
from vitequiv.encoders.huggingface.recipe import IMAGENET_MEAN, IMAGENET_STD, Architecture, ProcessorDefaults, Recipe
from vitequiv.images.preprocessing import Filter

RECIPE = Recipe(
    model_type="swin",
    encoder=Architecture("SwinModel"),
    architectures=(Architecture("SwinForImageClassification", encoder="swin", classifier=True),),
    readouts=(Readout.POOLER, Readout.MEAN),
    processor=ProcessorDefaults(Filter.BICUBIC, IMAGENET_MEAN, IMAGENET_STD),
)

FAMILY = recipe_family(
    name="swin",
    summary="Swin Transformer, trained on ImageNet (transformers).",
    recipe=RECIPE,
    default_checkpoint="microsoft/swin-tiny-patch4-window7-224",
    source="global average of the last stage, input of the classifier (arXiv 2103.14030, section 3.3)",
)
