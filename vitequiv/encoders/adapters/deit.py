"""DeiT (Touvron et al. 2020, arXiv 2012.12877), by transformers.

Default readout: the class token after the last layer norm, the input of the classifier. Checkpoints have no pooler
(transformers would make a random one). Token 1 is the distillation token; `mean` leaves both out. The head of a
distilled checkpoint is the mean of the class and distillation heads, as in the paper (section 5.2).
"""

from __future__ import annotations

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.family import recipe_family
from vitequiv.encoders.huggingface.recipe import IMAGENET_MEAN, IMAGENET_STD, Architecture, ProcessorDefaults, Recipe
from vitequiv.images.preprocessing import Filter

RECIPE = Recipe(
    model_type="deit",
    encoder=Architecture("DeiTModel", options=(("add_pooling_layer", False),)),
    architectures=(
        Architecture("DeiTForImageClassificationWithTeacher", encoder="deit", classifier=True),
        Architecture("DeiTForImageClassification", encoder="deit", classifier=True),
    ),
    readouts=(Readout.CLS, Readout.MEAN),
    prefix_tokens=2,
    processor=ProcessorDefaults(Filter.BICUBIC, IMAGENET_MEAN, IMAGENET_STD, enlarged=256),
)

FAMILY = recipe_family(
    name="deit",
    summary="DeiT, distilled on ImageNet (transformers).",
    recipe=RECIPE,
    default_checkpoint="facebook/deit-base-distilled-patch16-224",
    source="class token after the last layer norm, input of the classifier (arXiv 2012.12877)",
)
