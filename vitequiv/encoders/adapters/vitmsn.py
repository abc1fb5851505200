"""ViTMSN (Assran et al. 2022, "Masked Siamese Networks", arXiv 2204.07141), by transformers.

Default readout: the class token after the last layer norm, which the paper's evaluations read. The hub's checkpoints
have no classifier; one that was trained is used.
"""

from __future__ import annotations

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.family import recipe_family
from vitequiv.encoders.huggingface.recipe import IMAGENET_MEAN, IMAGENET_STD, Architecture, ProcessorDefaults, Recipe
from vitequiv.images.preprocessing import Filter

RECIPE = Recipe(
    model_type="vit_msn",
    encoder=Architecture("ViTMSNModel"),
    architectures=(Architecture("ViTMSNForImageClassification", encoder="vit", classifier=True),),
    readouts=(Readout.CLS, Readout.MEAN),
    prefix_tokens=1,
    processor=ProcessorDefaults(Filter.BILINEAR, IMAGENET_MEAN, IMAGENET_STD),
)

FAMILY = recipe_family(
    name="vitmsn",
    summary="Masked Siamese Network ViT (transformers).",
    recipe=RECIPE,
    default_checkpoint="facebook/vit-msn-small",
    source="class token, as in the paper's evaluations (arXiv 2204.07141)",
)
