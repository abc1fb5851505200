"""Instantiating one class of transformers from a directory, with every weight accounted for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitequiv.encoders.checkpoints.quiet import loading
from vitequiv.encoders.huggingface.config import CONFIG, Checkpoint
from vitequiv.encoders.huggingface.recipe import Architecture

if TYPE_CHECKING:
    from torch import nn


def load_architecture(architecture: Architecture, checkpoint: Checkpoint) -> tuple[nn.Module, frozenset[str]]:
    """Load a class of transformers from a checkpoint.

    Attention is "sdpa" where the class has it: "eager" computes its softmax in float32 whatever the dtype, which would
    spoil float64.

    Args:
        architecture: The class, and arguments of its constructor.
        checkpoint: The checkpoint.

    Returns:
        The model in float32, and the names of the parameters that the checkpoint lacks and that are therefore random.

    Raises:
        ModelError: If transformers cannot load it, or it asks for more than the weights hold.
    """
    import torch
    import transformers

    from vitequiv.encoders.checkpoints.budget import budget

    spec, config = checkpoint.spec, checkpoint.config
    with (
        checkpoint.shown() as folder,
        loading(f"The checkpoint of {spec}"),
        budget(checkpoint.weights.held, checkpoint.settings, CONFIG, spec),
    ):
        model_class = getattr(transformers, architecture.name)
        if not isinstance(config, model_class.config_class):  # the vision half of a two-tower configuration
            config = model_class.config_class.from_pretrained(folder, local_files_only=True)
        attention = {"attn_implementation": "sdpa"} if getattr(model_class, "_supports_sdpa", False) else {}
        model, info = model_class.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,  # the default is the dtype of the file
            **attention,
            **dict(architecture.options),
        )
    return model, frozenset(info["missing_keys"])
