"""clip: any CLIP-like model of open_clip, with both towers.

`clip` is OpenAI's ViT-B/32; `clip:ARCH/TAG` any pair that open_clip knows; `clip:DIR` and `clip:local-dir:DIR` a
directory with open_clip_config.json; `clip:hf-hub:OWNER/NAME` such a directory on the hub. (A transformers directory is
`hf:DIR`.)

Default readout, the only one: the projection into the space shared with text (Radford et al. 2021, arXiv 2103.00020),
not normalised, since a unit vector's Jacobian loses one rank by construction. It is `encode_image(x, normalize=False)`
of every open_clip architecture: ViT, ResNet, timm trunks, CoCa, SigLIP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitequiv.encoders.families import EncoderFamily, Readout

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower


def load(checkpoint: str, readout: Readout) -> VisionTower:
    """Load an open_clip model.

    Args:
        checkpoint: `ARCH/TAG`, a directory, `local-dir:DIR` or `hf-hub:OWNER/NAME`.
        readout: The projection, the only one.

    Returns:
        The tower, with its text half.
    """
    from vitequiv.encoders.open_clip_models.load import load_open_clip

    return load_open_clip(checkpoint, readout)


FAMILY = EncoderFamily(
    name="clip",
    summary="CLIP and its like with image and text towers (open_clip), clip:ARCH/TAG or clip:DIR.",
    load=load,
    default_checkpoint="ViT-B-32-quickgelu/openai",
    readouts=(Readout.PROJECTION,),
    source="unnormalised projection (arXiv 2103.00020)",
)
