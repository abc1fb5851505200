"""The settings of timm's config.json that are read: the architecture, its arguments, and the data configuration.

Where weights come from (`url`, `file`, `hf_hub_id`, ...) is not read: they are those of the directory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vitequiv.encoders.checkpoints.settings import Settings, words

_TOP = ("num_features", "num_classes")
_WORDS = words("architecture tag interpolation crop_mode global_pool")
_MODULES = frozenset(("first_conv", "classifier"))
"""Names of the network's own modules."""

_NAMES = frozenset(("label_names", "labels"))
_NOT_READ = words(
    "url file state_dict hf_hub_id hf_hub_filename source custom_load license description origin_url paper_name "
    "paper_ids notes"
)

_ARGUMENT_WORDS = words(
    "global_pool act_layer norm_layer norm_layer_cl final_norm_layer stem_norm_layer aa_layer pos_embed pos_embed_type "
    "pool_type weight_init rope_type attn_layer mlp_layer stem_type stem_pool head_type kernel_init padding_mode "
    "down_type downsample_mode conv_norm_layer se_layer"
)
_FACTORY = words(
    "pretrained pretrained_strict pretrained_model_args scriptable exportable no_jit features_only out_indices pruned "
    "kwargs_filter in_22k"
)
"""Arguments of `create_model` itself rather than of the network: what is made, and whether weights must fit."""


def timm_settings(content: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Take from timm's config.json what a model is made of.

    Args:
        content: The file's object, whose `architecture` timm knows; also of the older kind without `pretrained_cfg`.
        settings: The file.

    Returns:
        The object to hand on, of the newer kind.

    Raises:
        ModelError: If a value leads elsewhere, or is too large for the weights.
    """
    nested = "pretrained_cfg" in content
    data = settings.section("pretrained_cfg", content["pretrained_cfg"]) if nested else dict(content)
    taken: dict[str, Any] = {"architecture": settings.word("architecture", content["architecture"])}
    taken |= {key: content[key] for key in _TOP if key in content and settings.is_plain(key, content[key])}
    taken |= _labels(content, settings)
    if isinstance(content.get("global_pool"), str):
        taken["global_pool"] = settings.word("global_pool", content["global_pool"])
    taken["pretrained_cfg"] = _data(data, settings, "pretrained_cfg." if nested else "")
    arguments = settings.section("model_args", content.get("model_args"))
    if arguments:
        taken["model_args"] = model_arguments(arguments, settings, "model_args")
    return taken


def model_arguments(
    arguments: Mapping[str, Any], settings: Settings, above: str, allowed: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Take the arguments of a network's constructor.

    Args:
        arguments: The arguments.
        settings: The file.
        above: The key that they stand under.
        allowed: Which of the factory's own may be among them.

    Returns:
        The same.

    Raises:
        ModelError: If one is timm's factory's rather than the network's, leads elsewhere or is too large.
    """
    taken = {}
    for key, value in arguments.items():
        path = f"{above}.{key}"
        if key not in allowed and (key in _FACTORY or key.startswith("feature")):
            raise settings.refuse(path, value, "which is no argument of a network: remove it")
        if key in _ARGUMENT_WORDS and isinstance(value, str):
            taken[key] = settings.word(path, value)
        elif settings.is_plain(path, value):
            taken[key] = value
        else:
            raise settings.refuse(path, value, "which vitequiv does not read: remove it")
    return taken


def _data(data: Mapping[str, Any], settings: Settings, above: str) -> dict[str, Any]:
    import dataclasses

    from timm.models import PretrainedCfg

    known = {field.name for field in dataclasses.fields(PretrainedCfg)} - _NOT_READ
    taken: dict[str, Any] = {}
    for key, value in data.items():
        if key not in known or key in _NAMES or key == "label_descriptions":
            continue
        if key in _WORDS and isinstance(value, str):
            taken[key] = settings.word(above + key, value)
        elif key in _MODULES and isinstance(value, str | list):
            names = value if isinstance(value, list) else [value]
            taken[key] = [settings.word(above + key, name) for name in names] if names != [value] else names[0]
        elif settings.is_plain(above + key, value):
            taken[key] = value
    taken |= _labels(data, settings)
    share = taken.get("crop_pct")
    if isinstance(share, int | float) and not 0.1 <= share <= 10:
        raise settings.refuse(f"{above}crop_pct", share, "a share of the image that is none: correct it")
    return taken


def _labels(data: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Names of classes: any text, which only ever is shown."""
    taken: dict[str, Any] = {}
    for key in ("label_names", "labels"):
        names = data.get(key)
        if isinstance(names, list | dict):
            texts = names.values() if isinstance(names, dict) else names
            if not all(isinstance(name, str) for name in texts):
                raise settings.refuse(key, names, "where names of classes are expected: correct it")
            taken["label_names"] = names
    descriptions = settings.section("label_descriptions", data.get("label_descriptions"))
    if descriptions and all(isinstance(text, str) for text in descriptions.values()):
        taken["label_descriptions"] = descriptions
    return taken
