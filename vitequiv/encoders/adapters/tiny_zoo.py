"""tiny-beit, tiny-swin, tiny-deit, tiny-vitmae and tiny-vitmsn: a small trained checkpoint of every family.

They ship with vitequiv and go through the recipe of their family: same classes, readouts, head and processor.
"""

from __future__ import annotations

from importlib import resources
from types import ModuleType
from typing import TYPE_CHECKING

from vitequiv.encoders.adapters import beit, deit, swin, vitmae, vitmsn
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.errors import ModelError

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower

EMBEDDED = "embedded"

_TRAINING = {
    beit: "BEiT, trained with labels",
    swin: "Swin, trained with labels",
    deit: "DeiT, distilled from tiny-clip",
    vitmae: "ViTMAE, trained by masked reconstruction",
    vitmsn: "ViTMSN, trained by masked siamese matching",
}


def _family(parent: ModuleType, training: str) -> EncoderFamily:
    name = f"tiny-{parent.FAMILY.name}"

    def load(checkpoint: str, readout: Readout) -> VisionTower:
        if checkpoint != EMBEDDED:
            raise ModelError(
                f"{name} is embedded and has no checkpoint {checkpoint!r}: use --model {name}, or "
                f"--model {parent.FAMILY.name}:DIR for a checkpoint of your own."
            )

        from vitequiv.encoders.huggingface.config import read_checkpoint
        from vitequiv.encoders.huggingface.load import build_tower

        with resources.as_file(resources.files("vitequiv.tiny.zoo") / parent.FAMILY.name) as directory:
            return build_tower(parent.RECIPE, read_checkpoint(directory, name), readout)

    return EncoderFamily(
        name=name,
        summary=f"An embedded {training} on procedural scenes, 64 px; needs no network.",
        load=load,
        default_checkpoint=EMBEDDED,
        readouts=parent.FAMILY.readouts,
        source=parent.FAMILY.source,
    )


FAMILIES = tuple(_family(parent, training) for parent, training in _TRAINING.items())
