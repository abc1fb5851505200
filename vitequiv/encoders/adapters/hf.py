"""hf: any vision model of transformers, from a directory of `save_pretrained` or a hub name.

Default readout (`auto`): that of the checkpoint's own type. A type with a family of its own (beit, swin, deit, vit_mae,
vit_msn) is loaded as that family. CLIP and its like give the projection, not normalised (Radford et al. 2021,
arXiv 2103.00020); SigLIP, whose pooled vector is already in the shared space, its pooler (arXiv 2303.15343). All
others: the class token after the last layer norm where there is one (ViT, DINOv2: arXiv 2010.11929, 2304.07193), else
what the class pools (ConvNeXt, ResNet: the global average), else the mean over the tokens (I-JEPA).

For CLIP `pooler` is the class token after the last layer norm, before the projection; `cls` is the token before that
norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitequiv.encoders.adapters import beit, deit, swin, vitmae, vitmsn
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.encoders.huggingface.generic import ANY, generic_recipe
from vitequiv.errors import UsageError

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower

RECIPES = {module.RECIPE.model_type: module.RECIPE for module in (beit, swin, deit, vitmae, vitmsn)}


def load(checkpoint: str, readout: Readout) -> VisionTower:
    """Load any vision model of transformers.

    Args:
        checkpoint: A directory of `save_pretrained`, or a hub name.
        readout: Which vector is the embedding; `auto` for the standard one of the checkpoint's type.

    Returns:
        The tower; its `readout` says which vector it gives.

    Raises:
        UsageError: If the model has no such readout.
    """
    from vitequiv.encoders.checkpoints.source import locate
    from vitequiv.encoders.huggingface.config import HUB_FILES, read_checkpoint
    from vitequiv.encoders.huggingface.load import build_tower

    spec = f"hf:{checkpoint}"
    directory = locate(checkpoint, spec, HUB_FILES)
    found = read_checkpoint(directory, spec)
    recipe = RECIPES.get(found.config.model_type)
    if recipe is None:
        return build_tower(generic_recipe(found.config, readout), found, readout)
    chosen = recipe.readouts[0] if readout is Readout.AUTO else readout
    if chosen not in recipe.readouts:
        raise UsageError(f"The model {spec} has no readout {chosen}: choose from {', '.join(recipe.readouts)}.")
    return build_tower(recipe, found, chosen)


FAMILY = EncoderFamily(
    name="hf",
    summary="Any vision model of transformers, hf:REPO_OR_DIR.",
    load=load,
    default_checkpoint=None,
    readouts=ANY,
    source="the checkpoint's own type: projection, class token, pooler or token mean",
)
