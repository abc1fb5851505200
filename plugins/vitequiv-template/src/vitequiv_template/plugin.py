"""phash: the numbers whose signs are the perceptual hash pHash (Zauner 2010, section 3.2.1).

A grey image of 32 x 32 pixels, its discrete cosine transform, and of that the N x N lowest frequencies without the
zeroth row and column: `phash` is N = 8, for the 64 bits of pHash, `phash:N` another. pHash then keeps only whether each
lies above their median, which has no gradient; before that they are an embedding like any other.

This module is imported by `vitequiv --help`, so nothing heavy is imported at its top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.errors import ModelError
from vitequiv.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower

SIDE = 32
"""Side of the image in pixels."""


def load(checkpoint: str, readout: Readout) -> VisionTower:
    """Make the encoder: what follows the colon of `phash:8` comes in, a tower on the CPU in float32 goes out.

    Args:
        checkpoint: N, the number of frequencies in each direction.
        readout: One of the family's `readouts`; here there is only one.

    Returns:
        The tower. vitequiv freezes it, puts it in eval mode, moves it to the device and probes it.

    Raises:
        ModelError: If there is no such checkpoint: one sentence for the user, exit code 4.
    """
    if not (checkpoint.isdecimal() and 1 <= int(checkpoint) < SIDE):
        raise ModelError(f"phash:{checkpoint} is not phash:N with N from 1 to {SIDE - 1}, for example phash:8.")

    from vitequiv.encoders.base import VisionTower
    from vitequiv.images.preprocessing import Filter, Preprocessing, Resize, ResizeMode
    from vitequiv_template.network import Frequencies

    return VisionTower(
        module=Frequencies(int(checkpoint), SIDE),
        # What the model's own users do to a photo before the network; vitequiv does it bit for bit as Pillow does.
        preprocessing=Preprocessing(
            resize=Resize(size=(SIDE, SIDE), mode=ResizeMode.SQUASH, filter=Filter.BICUBIC),
            crop=None,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        ),
        readout=readout,
    )


@hookimpl
def vitequiv_register_encoders(register: Callable[[EncoderFamily], None]) -> None:
    """Register the family."""
    register(
        EncoderFamily(
            name="phash",
            summary="The perceptual hash pHash before its bits are cut, phash:N for N x N frequencies.",
            load=load,
            default_checkpoint="8",
            readouts=(Readout.POOLER,),
            source="low frequencies of the cosine transform (Zauner 2010, section 3.2.1)",
        )
    )
