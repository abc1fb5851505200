"""The settings of transformers that are read: a model's config.json, and its image processor's.

Numbers, truth values and lists of them pass. Everything else passes only under a key that is listed here, and keys that
would choose other weights, or what the weights mean, are refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from vitequiv.encoders.checkpoints.settings import Settings, words
from vitequiv.encoders.timm_models.settings import model_arguments

_MEANING = words("transformers_weights quantization_config compression_config per_layer_config pretrained_cfg")
"""Which files are the weights, or what numbers and pixels stand for: left out, another model would be measured."""

_WORDS = words(
    "activation_function attention_type class_distance_type conv_norm_activation csp_activation decoder_activation "
    "decoder_activation_function decoder_hidden_act decoder_method encoder_activation_function "
    "encoder_feedforward_activation encoder_fuse_op encoder_type feed_forward_proj dense_act_fn global_padding "
    "hidden_act hidden_activation image_processor_type interpolate_mode layer_type mask_downsampler_hidden_act "
    "memory_attention_feed_forward_hidden_act memory_attention_mlp_hidden_act memory_fuser_hidden_act "
    "mlp_activation_function model_type norm_type padding_mode pooler_act pooling_type position_embedding_type "
    "problem_type projection_hidden_act readout_type resi_connection segmentation_head_activation_function "
    "stem_act_func upsampler"
)
"""Keys whose value is one of a few words of the model's own code."""

_LISTS = words("architectures layer_types out_features qkv_projection_method stage_names")
"""Keys whose value is a list of such words."""

_ROTARY = frozenset(("rope_parameters", "rope_scaling"))
_NOT_READ = words("dtype torch_dtype transformers_version name_or_path trust_remote_code use_pretrained_backbone")
_TIMM_FEATURES = words("features_only out_indices")
_BACKBONE = ("backbone", "backbone_kwargs")


def model_settings(
    content: Mapping[str, Any], config_class: Any, settings: Settings, above: str = ""
) -> dict[str, Any]:
    """Take from a config.json what a class of transformers may have.

    Args:
        content: The file's object, or a part of it.
        config_class: The class of transformers that it is for.
        settings: The file.
        above: The keys above this part.

    Returns:
        The settings to hand on.

    Raises:
        ModelError: If a value leads elsewhere, changes what the weights mean, or is too large for them.
    """
    defaults = _defaults(config_class)
    parts = getattr(config_class, "sub_configs", None) or {}
    taken: dict[str, Any] = {}
    for key, value in content.items():
        path = f"{above}.{key}" if above else key
        if key in _MEANING and value:
            raise settings.refuse(path, value, "which vitequiv does not read: save the model again without it")
        if key == "backbone" and value is not None and config_class.model_type == "timm_backbone":
            taken[key] = _timm_name(path, value, settings)
            continue
        if key in _BACKBONE and value:
            raise settings.refuse(path, value, "another model inside of this one, which vitequiv does not make")
        part = parts.get(key.removesuffix("_dict"))
        if key in _NOT_READ or key.startswith("_"):
            continue
        if isinstance(value, dict) and part is not None:
            taken[key] = model_settings(value, _part_class(part, value, path, settings), settings, path)
        elif key == "architecture" and isinstance(value, str):
            taken[key] = _timm_name(path, value, settings)
        elif key == "model_args" and isinstance(value, dict):
            taken[key] = model_arguments(value, settings, path, allowed=_TIMM_FEATURES)
        elif key == "label_names" and isinstance(value, list) and all(isinstance(name, str) for name in value):
            taken[key] = value
        elif key in {"id2label", "label2id"}:
            taken[key] = _labels(path, value, settings)
        elif key in _ROTARY and isinstance(value, dict):
            taken[key] = _rotary(path, value, settings)
        elif key in _LISTS and value is not None:
            taken[key] = _words(path, value, settings)
        elif key in _WORDS and isinstance(value, str):
            taken[key] = settings.word(path, value)
        elif settings.is_plain(path, value):
            taken[key] = value
        elif key in defaults and defaults[key] != value:
            raise settings.refuse(path, value, "which vitequiv does not read: remove it")
    return taken


def _defaults(config_class: Any) -> dict[str, Any]:
    """What a class takes, with what it takes by itself."""
    declared = fields(config_class) if is_dataclass(config_class) else ()
    return {field.name: None if field.default is MISSING else field.default for field in declared}


def _part_class(part: Any, value: Mapping[str, Any], path: str, settings: Settings) -> Any:
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if part is not AutoConfig:
        return part
    model_type = value.get("model_type")
    if isinstance(model_type, str) and model_type in CONFIG_MAPPING:
        return CONFIG_MAPPING[model_type]
    raise settings.refuse(f"{path}.model_type", model_type, "which vitequiv does not make")


def _labels(path: str, value: object, settings: Settings) -> dict[str, Any] | None:
    labels = settings.section(path, value)
    if all(isinstance(label, str | int) for label in labels.values()):
        return labels or None
    raise settings.refuse(path, value, "where numbers and names of classes are expected: correct it")


def _words(path: str, value: object, settings: Settings) -> list[Any]:
    if isinstance(value, list):
        return [item if settings.is_plain(path, item) else settings.word(path, item) for item in value]
    raise settings.refuse(path, value, "where a list of words is expected: correct it")


def _timm_name(path: str, value: object, settings: Settings) -> str:
    """A network of timm's inside of a class of transformers, which never has it fetched."""
    import timm

    name = settings.word(path, value)
    if timm.is_model(name.partition(".")[0]):
        return name
    raise settings.refuse(path, value, "which timm does not have: correct it")


def _rotary(path: str, value: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    return {
        key: settings.word(f"{path}.{key}", item) if key in {"rope_type", "type"} else item
        for key, item in value.items()
        if key in {"rope_type", "type"} or settings.is_plain(f"{path}.{key}", item)
    }


_PROCESSOR_WORDS = words(
    "image_processor_type feature_extractor_type interpolation resample crop_mode data_format input_data_format format "
    "pad_mode padding_mode limit_type downsample_mode small_image_upsize vision_input_type"
)


def processor_settings(content: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Take from a preprocessor_config.json what an image processor may have.

    Args:
        content: The file's object.
        settings: The file.

    Returns:
        The settings to hand on.

    Raises:
        ModelError: If a value leads elsewhere, or images would be made too large.
    """
    taken: dict[str, Any] = {}
    for key, value in content.items():
        if key.startswith("_") or key in _NOT_READ:
            continue
        if isinstance(value, dict):
            if all(settings.is_plain(f"{key}.{name}", item) for name, item in value.items()):
                taken[key] = value
        elif key in _PROCESSOR_WORDS and isinstance(value, str):
            taken[key] = settings.word(key, value)
        elif settings.is_plain(key, value):
            taken[key] = value
    _bound_enlargement(taken, settings)
    return taken


def _bound_enlargement(taken: Mapping[str, Any], settings: Settings) -> None:
    """`crop_pct` divides the size."""
    share = taken.get("crop_pct")
    if isinstance(share, int | float) and not 0.1 <= share <= 10:
        raise settings.refuse("crop_pct", share, "a share of the image that is none: correct it")
