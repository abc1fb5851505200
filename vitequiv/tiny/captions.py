"""Captions of scenes: the 64 canonical ones and the varied ones of training."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from vitequiv.tiny.backgrounds import BACKGROUNDS
from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.shapes import SHAPES

if TYPE_CHECKING:
    import numpy as np

    from vitequiv.tiny.arrays import Labels


class Detail(Enum):
    """What a caption speaks of; its value holds the sentences it may take, the canonical one first."""

    COLOUR_SHAPE = (
        "a photo of a {colour} {shape}",
        "a picture of a {colour} {shape}",
        "an image of a {colour} {shape}",
        "a drawing of a {colour} {shape}",
        "a {colour} {shape}",
        "the {colour} {shape}",
        "this is a {colour} {shape}",
        "there is a {colour} {shape} in the photo",
        "a {shape} that is {colour}",
        "{colour} {shape}",
    )
    WITH_BACKGROUND = (
        "a photo of a {colour} {shape} on a {background} background",
        "a picture of a {colour} {shape} with a {background} background",
        "a {colour} {shape} on a {background} background",
        "{colour} {shape} {background} background",
    )
    SHAPE = ("a photo of a {shape}", "a picture of a {shape}", "a {shape}", "the {shape}", "{shape}")
    COLOUR = ("a photo of a {colour} shape", "a picture of a {colour} object", "a {colour} thing", "{colour}")


def caption(shape: int, colour: int) -> str:
    """Give the canonical caption of a class, such as "a photo of a red star".

    Args:
        shape: Index into `SHAPES`.
        colour: Index into `COLOURS`.

    Returns:
        The caption.
    """
    return _fill(Detail.COLOUR_SHAPE.value[0], SHAPES[shape], COLOURS[colour], "")


def all_captions() -> tuple[str, ...]:
    """List the canonical captions of all classes.

    Returns:
        64 captions; shape `s` in colour `c` is at `s * len(COLOURS) + c`, as `class_index` says.
    """
    return tuple(caption(shape, colour) for shape in range(len(SHAPES)) for colour in range(len(COLOURS)))


def class_index(shapes: Labels, colours: Labels) -> Labels:
    """Number the classes in the order of `all_captions`.

    Args:
        shapes: (B,) indices into `SHAPES`.
        colours: (B,) indices into `COLOURS`.

    Returns:
        (B,) in 0 to 63.
    """
    return shapes * len(COLOURS) + colours


def varied_captions(
    detail: Detail, shapes: Labels, colours: Labels, backgrounds: Labels, rng: np.random.Generator
) -> list[str]:
    """Describe each scene in a sentence drawn at random.

    Args:
        detail: What the captions speak of.
        shapes: (B,) indices into `SHAPES`.
        colours: (B,) indices into `COLOURS`.
        backgrounds: (B,) indices into `BACKGROUNDS`.
        rng: Source of randomness.

    Returns:
        B captions.
    """
    templates = rng.integers(len(detail.value), size=len(shapes))
    return [
        _fill(detail.value[template], SHAPES[shape], COLOURS[colour], BACKGROUNDS[background])
        for template, shape, colour, background in zip(templates, shapes, colours, backgrounds, strict=True)
    ]


def _fill(template: str, shape: str, colour: str, background: str) -> str:
    sentence = template.format(shape=shape, colour=colour, background=background)
    return sentence.replace("a orange", "an orange")
