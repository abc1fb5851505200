"""tiny-clip: the two-tower model that ships with vitequiv.

Default readout: the projection, not normalised, as in CLIP (Radford et al. 2021, arXiv 2103.00020): a unit vector's
Jacobian loses one rank by construction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import Crop, Filter, Preprocessing, Resize, ResizeMode, Rounding

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower

EMBEDDED = "embedded"


def load(checkpoint: str, readout: Readout) -> VisionTower:
    """Load the embedded weights.

    Args:
        checkpoint: `embedded`; there are no others.
        readout: The projection, the only one.

    Returns:
        The tower, with its text half.

    Raises:
        ModelError: If another checkpoint is named.
    """
    if checkpoint != EMBEDDED:
        raise ModelError(f"tiny-clip is embedded and has no checkpoint {checkpoint!r}: use --model tiny-clip.")

    import torch

    from vitequiv.encoders.base import TextTower, VisionTower
    from vitequiv.encoders.methods import Method
    from vitequiv.tiny.checkpoint import load_tiny_clip
    from vitequiv.tiny.model import MEAN, STD
    from vitequiv.tiny.vocabulary import tokenize

    model = load_tiny_clip()
    size = (model.config.image_size,) * 2
    return VisionTower(
        module=Method(model, "encode_image"),
        preprocessing=Preprocessing(
            Resize(size, ResizeMode.SHORTEST, Filter.BICUBIC), Crop(size, Rounding.TORCHVISION), MEAN, STD
        ),
        text=TextTower(
            Method(model, "encode_text"),
            lambda texts: torch.from_numpy(tokenize(texts)),
            float(model.logit_scale()),
        ),
        readout=readout,
    )


FAMILY = EncoderFamily(
    name="tiny-clip",
    summary="The embedded two-tower model, 64 px, trained on procedural scenes; needs no network.",
    load=load,
    default_checkpoint=EMBEDDED,
    readouts=(Readout.PROJECTION,),
    source="unnormalised projection, as in CLIP (arXiv 2103.00020)",
)
