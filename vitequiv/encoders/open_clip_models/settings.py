"""The settings of open_clip_config.json that are read, for the network, the preprocessing and the tokenizer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vitequiv.encoders.checkpoints.settings import Settings, words

_NETWORK = words("embed_dim quick_gelu custom_text init_logit_scale init_logit_bias nonscalar_logit_scale output_dict")
_WORDS = words(
    "timm_model_name timm_pool timm_proj pos_embed_type pool_type block_type proj_type tokenizer_mode hf_proj_type "
    "hf_pooler_type mode interpolation resize_mode"
)
_LAYER_OPTIONS = frozenset(("act_kwargs", "norm_kwargs"))
_TOKENIZER_WORDS = frozenset(("clean", "language", "padding_side", "truncation_side"))
_TOKENIZER = frozenset(("strip_sep_token", "use_fast", "legacy", "add_prefix_space", "do_lower_case"))
_HUGGING_FACE = ("hf_model_name", "hf_tokenizer_name", "hf_model_pretrained", "tokenizer_kwargs")
"""What names transformers' part of a text half; read here, and never handed on."""


@dataclass(frozen=True)
class OpenClipSettings:
    """What is read of an open_clip_config.json, or of a configuration that ships with open_clip.

    Args:
        model: The network's, without anything of transformers.
        preprocess: The preprocessing's.
        text_model: The model of transformers that the text half is made of; None if it is open_clip's own.
        tokenizer_name: What the tokenizer is called, where it is transformers'; None for open_clip's own.
        tokenizer: Options of the tokenizer.
    """

    model: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    text_model: str | None
    tokenizer_name: str | None
    tokenizer: Mapping[str, Any]

    @property
    def text(self) -> Mapping[str, Any]:
        """The text half's settings."""
        part: Mapping[str, Any] = self.model["text_cfg"]
        return part


def open_clip_settings(content: Mapping[str, Any], settings: Settings) -> OpenClipSettings:
    """Take from an open_clip_config.json what a model is made of.

    Args:
        content: The file's object, with `model_cfg`.
        settings: The file.

    Returns:
        The settings.

    Raises:
        ModelError: If a value leads elsewhere, is none of open_clip's, or is too large for the weights.
    """
    from open_clip import CLIPTextCfg, CLIPVisionCfg
    from open_clip.coca_model import MultimodalCfg
    from open_clip.transform import PreprocessCfg

    model = settings.section("model_cfg", content["model_cfg"])
    parts = {"vision_cfg": CLIPVisionCfg, "text_cfg": CLIPTextCfg, "multimodal_cfg": MultimodalCfg}
    taken: dict[str, Any] = {}
    for key, value in model.items():
        path = f"model_cfg.{key}"
        if key in parts:
            taken[key] = _part(settings.section(path, value), parts[key], settings, path)
        elif key in _NETWORK and settings.is_plain(path, value):
            taken[key] = value
        else:
            raise settings.refuse(path, value, "which is no setting of open_clip's: remove it")
    for key in ("vision_cfg", "text_cfg"):
        if key not in taken:
            raise settings.refuse("model_cfg", sorted(taken), f"where {key} is missing: write it as open_clip does")
    _check_trunk(taken["vision_cfg"], settings)
    text = settings.section("model_cfg.text_cfg", model["text_cfg"])
    data = settings.section("preprocess_cfg", content.get("preprocess_cfg"))
    known = {field.name for field in dataclasses.fields(PreprocessCfg)}  # open_clip leaves out all others
    return OpenClipSettings(
        model=taken,
        preprocess=_part({key: data[key] for key in data if key in known}, PreprocessCfg, settings, "preprocess_cfg"),
        text_model=_name(text, "hf_model_name", settings),
        tokenizer_name=_name(text, "hf_tokenizer_name", settings),
        tokenizer=_tokenizer(text, settings),
    )


def _part(part: Mapping[str, Any], part_class: Any, settings: Settings, above: str) -> dict[str, Any]:
    known = {field.name for field in dataclasses.fields(part_class)}
    taken: dict[str, Any] = {}
    for key, value in part.items():
        path = f"{above}.{key}"
        if key in _HUGGING_FACE:
            continue
        if key not in known:
            raise settings.refuse(path, value, "which is no setting of open_clip's: remove it")
        if key in _LAYER_OPTIONS and isinstance(value, dict):
            taken[key] = {
                name: item if settings.is_plain(f"{path}.{name}", item) else settings.word(f"{path}.{name}", item)
                for name, item in value.items()
            }
        elif key in _WORDS and isinstance(value, str):
            taken[key] = settings.word(path, value)
        elif settings.is_plain(path, value):
            taken[key] = value
        else:
            raise settings.refuse(path, value, "which vitequiv does not read: remove it")
    return taken


def _check_trunk(vision: dict[str, Any], settings: Settings) -> None:
    """A trunk of timm's is named, never fetched or found in a directory."""
    import timm

    name = vision.get("timm_model_name")
    if not name:
        return
    if not isinstance(name, str) or not timm.is_model(name.partition(".")[0]):
        raise settings.refuse("model_cfg.vision_cfg.timm_model_name", name, "which timm does not have: correct it")
    vision["timm_model_pretrained"] = False


def _name(text: Mapping[str, Any], key: str, settings: Settings) -> str | None:
    name = text.get(key)
    if name is None or isinstance(name, str):
        return name or None
    raise settings.refuse(f"model_cfg.text_cfg.{key}", name, "where a name is expected: correct it")


def _tokenizer(text: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    path = "model_cfg.text_cfg.tokenizer_kwargs"
    taken: dict[str, Any] = {}
    for key, value in settings.section(path, text.get("tokenizer_kwargs")).items():
        if key in _TOKENIZER_WORDS and isinstance(value, str):
            taken[key] = settings.word(f"{path}.{key}", value)
        elif key in _TOKENIZER and isinstance(value, bool):
            taken[key] = value
        else:
            raise settings.refuse(f"{path}.{key}", value, "which vitequiv does not read: remove it")
    return taken
