"""From a recipe to the family that is registered; light, since it lies on the way to `--help`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.encoders.huggingface.recipe import Recipe

if TYPE_CHECKING:
    from vitequiv.encoders.base import VisionTower


def recipe_family(name: str, summary: str, recipe: Recipe, default_checkpoint: str, source: str) -> EncoderFamily:
    """Make a family whose every checkpoint follows one recipe.

    Args:
        name: The family's name.
        summary: One line for `vitequiv models list`.
        recipe: What is special about it.
        default_checkpoint: The hub name that the bare family name stands for.
        source: Where the default readout is taken from.

    Returns:
        The family.
    """

    def load(checkpoint: str, readout: Readout) -> VisionTower:
        from vitequiv.encoders.huggingface.load import load_family

        return load_family(recipe, checkpoint, readout)

    return EncoderFamily(name, summary, load, default_checkpoint, recipe.readouts, source)
