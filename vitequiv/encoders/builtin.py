"""The built-in families, registered through the same hook as a third party's."""

from __future__ import annotations

from collections.abc import Callable

from vitequiv.encoders.adapters import beit, clip, deit, hf, swin, timm, tiny_clip, tiny_zoo, vitmae, vitmsn
from vitequiv.encoders.families import EncoderFamily
from vitequiv.encoders.hookspecs import hookimpl

FAMILIES = (
    tiny_clip.FAMILY,
    *tiny_zoo.FAMILIES,
    *(module.FAMILY for module in (clip, beit, swin, deit, vitmae, vitmsn, timm, hf)),
)


@hookimpl
def vitequiv_register_encoders(register: Callable[[EncoderFamily], None]) -> None:
    """Register the built-in families."""
    for family in FAMILIES:
        register(family)
