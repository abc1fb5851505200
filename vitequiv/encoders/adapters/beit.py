"""BEiT (Bao et al. 2021, arXiv 2106.08254), by transformers.

Default readout: the pooler, which is the layer norm of the mean of the patch tokens: the `fc_norm` of the fine-tuned
model and the input of its classifier. A checkpoint of masked image modelling alone has none; `cls` and `mean` read its
tokens after its own last layer norm. Fine-tuned models have no other last layer norm than the pooler's, so there `mean`
is the mean before it.
"""

from __future__ import annotations

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.family import recipe_family
from vitequiv.encoders.huggingface.recipe import HALF, Architecture, ProcessorDefaults, Recipe
from vitequiv.images.preprocessing import Filter

RECIPE = Recipe(
    model_type="beit",
    encoder=Architecture("BeitModel"),
    architectures=(
        Architecture("BeitForImageClassification", encoder="beit", classifier=True),
        Architecture("BeitForMaskedImageModeling", encoder="beit", norm="layernorm"),
    ),
    readouts=(Readout.POOLER, Readout.MEAN, Readout.CLS),
    prefix_tokens=1,
    processor=ProcessorDefaults(Filter.BILINEAR, HALF, HALF),
)

FAMILY = recipe_family(
    name="beit",
    summary="BEiT, fine-tuned on ImageNet (transformers).",
    recipe=RECIPE,
    default_checkpoint="microsoft/beit-base-patch16-224",
    source="layer norm of the patch mean, input of the fine-tuned classifier (arXiv 2106.08254)",
)
