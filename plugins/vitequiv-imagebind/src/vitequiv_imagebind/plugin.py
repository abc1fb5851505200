"""imagebind: the vision and text towers of ImageBind (Girdhar et al. 2023, arXiv 2305.05665).

`imagebind` is the published model, `imagebind:PATH` a file of it: `imagebind_huge.pth`, or a safetensors file with the
same keys. Default readout: what the model itself returns, the projection divided by its length. `--readout projection`
is the vector before that, whose Jacobian does not lose a rank by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower

PUBLISHED = "imagebind_huge"


def load(checkpoint: str, readout: Readout) -> VisionTower:
    """Load ImageBind.

    Args:
        checkpoint: `imagebind_huge`, or the path of a checkpoint file.
        readout: The unit vector (pooler) or the projection before it.

    Returns:
        The tower, with its text half.
    """
    from vitequiv_imagebind.load import load_imagebind

    return load_imagebind(checkpoint, readout)


FAMILY = EncoderFamily(
    name="imagebind",
    summary="ImageBind's vision and text towers; weights CC BY-NC 4.0, no commercial use; imagebind:PATH.pth.",
    load=load,
    default_checkpoint=PUBLISHED,
    readouts=(Readout.POOLER, Readout.PROJECTION),
    source="the model's own output, a unit vector (arXiv 2305.05665)",
)


@hookimpl
def vitequiv_register_encoders(register: Callable[[EncoderFamily], None]) -> None:
    """Register the family."""
    register(FAMILY)
