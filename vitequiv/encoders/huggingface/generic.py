"""A recipe for any vision model of transformers, made from its configuration."""

from __future__ import annotations

from typing import Any

from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.recipe import Architecture, Recipe

ANY = (Readout.AUTO, Readout.CLS, Readout.MEAN, Readout.POOLER, Readout.PROJECTION)

_TOWERS = {
    "clip": ("CLIPVisionModelWithProjection", "CLIPVisionModel"),
    "metaclip_2": ("MetaClip2VisionModelWithProjection", "MetaClip2VisionModel"),
    "siglip": ("SiglipVisionModel", "SiglipVisionModel"),
}
"""Types whose vision tower loads alone from a two-tower checkpoint: the class with the projection, and the bare one."""


def is_image_encoder(model_type: str) -> bool:
    """Tell types whose model takes pixels, or has a half that does, from all others.

    Args:
        model_type: A type of transformers.

    Returns:
        Whether it does.
    """
    if model_type.removesuffix("_vision_model") in _TOWERS:
        return True
    model_class = _model_class(model_type)
    try:
        return _is_two_tower(model_class) or getattr(model_class, "main_input_name", None) == "pixel_values"
    except ImportError:  # it stands for a class whose packages are not installed, which loading says
        return True


def _model_class(model_type: str) -> Any:
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    name = MODEL_MAPPING_NAMES.get(model_type)
    return getattr(transformers, name, None) if isinstance(name, str) else None


def _is_two_tower(model_class: Any) -> bool:
    return hasattr(model_class, "get_image_features") and hasattr(model_class, "get_text_features")


def generic_recipe(config: Any, readout: Readout) -> Recipe:
    """Choose the class for a configuration.

    Args:
        config: The transformers configuration of an image encoder.
        readout: The readout asked for.

    Returns:
        A recipe without a processor of its own and with the layout of the output left to be found.
    """
    import transformers

    saved_from = next(iter(config.architectures or ()), "")
    kind = config.model_type.removesuffix("_vision_model")
    if kind in _TOWERS:
        projected, bare = _TOWERS[kind]
        # A directory of the vision model alone has a projection only if it says so.
        has_projection = kind == config.model_type or saved_from == projected
        wanted = readout in {Readout.AUTO, Readout.PROJECTION}
        return _recipe(config, Architecture(projected if has_projection and wanted else bare))

    model_class = _model_class(config.model_type)
    if _is_two_tower(model_class):
        return _recipe(config, Architecture(model_class.__name__, two_tower=True))
    classifier = getattr(transformers, saved_from, None) if saved_from.endswith("ForImageClassification") else None
    architectures = (
        (Architecture(saved_from, encoder=classifier.base_model_prefix, classifier=True),) if classifier else ()
    )
    return _recipe(config, Architecture(model_class.__name__), architectures)


def _recipe(config: Any, encoder: Architecture, architectures: tuple[Architecture, ...] = ()) -> Recipe:
    return Recipe(config.model_type, encoder, ANY, architectures, prefix_tokens=None)
