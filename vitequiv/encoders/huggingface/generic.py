"""A recipe for any vision model of transformers, made from its configuration."""

from __future__ import annotations

from typing import Any

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.recipe import Architecture, Recipe
from vitequiv.errors import ModelError

ANY = (Readout.AUTO, Readout.CLS, Readout.MEAN, Readout.POOLER, Readout.PROJECTION)

_TOWERS = {
    "clip": ("CLIPVisionModelWithProjection", "CLIPVisionModel"),
    "metaclip_2": ("MetaClip2VisionModelWithProjection", "MetaClip2VisionModel"),
    "siglip": ("SiglipVisionModel", "SiglipVisionModel"),
}
"""Types whose vision tower loads alone from a two-tower checkpoint: the class with the projection, and the bare one."""


def generic_recipe(config: Any, readout: Readout, spec: str) -> Recipe:
    """Choose the class for a configuration.

    Args:
        config: The transformers configuration.
        readout: The readout asked for.
        spec: The encoder spec, for messages.

    Returns:
        A recipe without a processor of its own and with the layout of the output left to be found.

    Raises:
        ModelError: If the type is no image encoder.
    """
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    saved_from = next(iter(config.architectures or ()), "")
    kind = config.model_type.removesuffix("_vision_model")
    if kind in _TOWERS:
        projected, bare = _TOWERS[kind]
        # A directory of the vision model alone has a projection only if it says so.
        has_projection = kind == config.model_type or saved_from == projected
        wanted = readout in {Readout.AUTO, Readout.PROJECTION}
        return _recipe(config, Architecture(projected if has_projection and wanted else bare))

    name = MODEL_MAPPING_NAMES.get(config.model_type)
    model_class = getattr(transformers, name, None) if isinstance(name, str) else None
    if hasattr(model_class, "get_image_features") and hasattr(model_class, "get_text_features"):
        return _recipe(config, Architecture(str(name), two_tower=True))
    if getattr(model_class, "main_input_name", None) != "pixel_values":
        raise ModelError(f"The checkpoint of {spec} holds a {config.model_type} model, which is no image encoder.")
    classifier = getattr(transformers, saved_from, None) if saved_from.endswith("ForImageClassification") else None
    architectures = (
        (Architecture(saved_from, encoder=classifier.base_model_prefix, classifier=True),) if classifier else ()
    )
    return _recipe(config, Architecture(str(name)), architectures)


def _recipe(config: Any, encoder: Architecture, architectures: tuple[Architecture, ...] = ()) -> Recipe:
    return Recipe(config.model_type, encoder, ANY, architectures, prefix_tokens=None)
