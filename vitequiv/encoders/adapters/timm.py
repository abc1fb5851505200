"""timm: any image model of timm.

By name (`timm:vit_base_patch16_224`), from a directory that timm's `save_for_hf` wrote (`timm:DIR`,
`timm:local-dir:DIR`) or from a hub repository (`timm:hf-hub:OWNER/NAME`).

Default readout: the pre-logits features, `forward_head(forward_features(x), pre_logits=True)`, timm's own convention
for embeddings. `cls` and `mean` read the tokens (or the feature map) that `forward_features` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitequiv.encoders.families import EncoderFamily, Readout

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower


def load(checkpoint: str, readout: Readout) -> VisionTower:
    """Load a timm model.

    Args:
        checkpoint: A timm name with or without a tag, a directory, `local-dir:DIR` or `hf-hub:OWNER/NAME`.
        readout: Which vector is the embedding.

    Returns:
        The tower.
    """
    from vitequiv.encoders.timm_models.load import load_timm

    return load_timm(checkpoint, readout)


FAMILY = EncoderFamily(
    name="timm",
    summary="Any image model of timm, timm:NAME or timm:DIR.",
    load=load,
    default_checkpoint=None,
    readouts=(Readout.POOLER, Readout.MEAN, Readout.CLS),
    source="pre-logits features, timm's own convention",
)
