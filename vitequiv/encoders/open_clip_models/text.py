"""The text half of an open_clip model where it is one of transformers: from the checkpoint's own files, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vitequiv.encoders.checkpoints.own import own_file
from vitequiv.encoders.checkpoints.settings import Settings, brief
from vitequiv.encoders.checkpoints.source import Wanted, fetch, read_json
from vitequiv.encoders.huggingface.settings import model_settings
from vitequiv.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

CONFIG = "config.json"
TYPES = ("bert", "roberta", "xlm-roberta", "mt5", "m2m_100")
"""The types that open_clip makes text halves of."""


def text_model_settings(directory: Path, settings: Settings) -> dict[str, Any] | None:
    """Read the configuration of a text half that lies beside the weights.

    Args:
        directory: A directory.
        settings: How its `config.json` is read.

    Returns:
        What is handed on of it; None if there is none of such a model.

    Raises:
        ModelError: If it leads elsewhere, or is too large for the weights.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if own_file(directory, CONFIG, settings.spec) is None:
        return None
    content = read_json(directory / CONFIG, settings.spec)
    model_type = content.get("model_type")
    if model_type not in TYPES:
        return None
    return model_settings(content, CONFIG_MAPPING[model_type], settings)


def fetched_text_settings(name: str, settings: Settings) -> dict[str, Any] | None:
    """Read the configuration of a text half that open_clip itself names.

    Args:
        name: The hub repository in open_clip's own table.
        settings: How its `config.json` is read.

    Returns:
        What is handed on of it; None if it cannot be had.
    """
    try:
        directory = fetch(name, settings.spec, Wanted(weights=((CONFIG,),)))
    except ModelError:
        return None
    return text_model_settings(directory, settings)


def no_text(name: str, spec: str) -> Callable[[Sequence[str]], Tensor]:
    """Stand in for the tokenizer of a model whose text half cannot be made.

    Args:
        name: What the text half is called.
        spec: The encoder spec, for the message.

    Returns:
        A function of texts that says so.
    """

    def tokenize(texts: Sequence[str]) -> Tensor:
        raise ModelError(
            f"The text half of {spec} is the model {brief(name)} of transformers, and its config.json is not beside "
            "the weights: put it there to use texts. Images need none."
        )

    return tokenize
