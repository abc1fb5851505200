"""From a recipe and a checkpoint to a vision tower."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any

from vitequiv.encoders.checkpoints.source import locate
from vitequiv.encoders.families import Readout
from vitequiv.encoders.huggingface.config import (
    FAMILY_OF_TYPE,
    HUB_FILES,
    Checkpoint,
    image_size,
    read_checkpoint,
    require_type,
)
from vitequiv.encoders.huggingface.layout import inspect_output
from vitequiv.encoders.huggingface.model import load_architecture
from vitequiv.encoders.huggingface.processor import (
    ProcessorSettings,
    official_processors,
    read_processor,
    read_settings,
)
from vitequiv.encoders.huggingface.recipe import Architecture, Recipe
from vitequiv.encoders.official import no_processors
from vitequiv.errors import ModelError, UsageError
from vitequiv.images.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import nn

    from vitequiv.encoders.base import ClassificationHead, VisionTower


def load_family(recipe: Recipe, name: str, readout: Readout) -> VisionTower:
    """Load a checkpoint of one family; the `load` of an `EncoderFamily` with the recipe filled in.

    Args:
        recipe: The family's recipe.
        name: A directory of `save_pretrained`, or a hub name.
        readout: Which vector is the embedding.

    Returns:
        The tower.

    Raises:
        ModelError: If the checkpoint cannot be had, is of another family or lacks weights that the readout needs.
    """
    spec = f"{FAMILY_OF_TYPE[recipe.model_type]}:{name}"
    directory = locate(name, spec, HUB_FILES)
    checkpoint = read_checkpoint(directory, spec)
    require_type(checkpoint.config, recipe.model_type, directory, spec)
    return build_tower(recipe, checkpoint, readout)


def build_tower(recipe: Recipe, checkpoint: Checkpoint, readout: Readout) -> VisionTower:
    """Build the tower of a checkpoint whose configuration is known to fit the recipe.

    Args:
        recipe: What is special about the model.
        checkpoint: The checkpoint.
        readout: Which vector is the embedding.

    Returns:
        The tower.

    Raises:
        ModelError: If weights that the readout needs are missing, or the processor cannot be reproduced.
        UsageError: If the model has no such readout.
    """
    from vitequiv.encoders.base import VisionTower
    from vitequiv.encoders.huggingface.tower import HuggingFaceTower, ImageFeatures

    config, spec = checkpoint.config, checkpoint.spec
    settings = read_settings(checkpoint)
    preprocessing = _preprocessing(recipe, checkpoint, settings)
    # Made once, when asked for: most verbs have no use for them.
    processors = cache(partial(official_processors, settings, checkpoint)) if settings is not None else no_processors
    for name, value in (recipe.configure or {}).items():
        setattr(config, name, value)

    architecture, model = _load_model(recipe, checkpoint)
    if architecture.two_tower:
        if readout not in {Readout.AUTO, Readout.PROJECTION}:
            raise UsageError(f"The model {spec} has no readout {readout}: choose from {Readout.PROJECTION}.")
        return VisionTower(ImageFeatures(model), preprocessing, readout=Readout.PROJECTION, processors=processors)
    encoder = _encoder(architecture, model)
    prefix = recipe.prefix_tokens
    if prefix is None:
        layout = inspect_output(encoder, preprocessing.input_size, spec)
        readout, prefix = layout.choose(readout, spec), layout.prefix_tokens
    elif readout is Readout.POOLER and getattr(encoder, "pooler", True) is None:
        raise ModelError(_no_pooler(recipe, spec))
    norm = getattr(model, architecture.norm) if architecture.norm else None
    inputs = partial(recipe.inputs, config) if recipe.inputs else None
    head = _head(model, config) if architecture.classifier else None
    tower = HuggingFaceTower(encoder, readout, prefix, norm, inputs)
    return VisionTower(tower, preprocessing, head, readout=readout, processors=processors)


def _encoder(architecture: Architecture, model: nn.Module) -> nn.Module:
    encoder: nn.Module = getattr(model, architecture.encoder) if architecture.encoder else model
    return encoder


def _load_model(recipe: Recipe, checkpoint: Checkpoint) -> tuple[Architecture, nn.Module]:
    """Load the class the checkpoint was saved from, or the bare encoder where what is beside it was never trained."""
    saved_from = set(checkpoint.config.architectures or ())
    for architecture in (*(a for a in recipe.architectures if a.name in saved_from), recipe.encoder):
        model, missing = load_architecture(architecture, checkpoint)
        prefix = f"{architecture.encoder}." if architecture.encoder else ""
        if architecture.classifier and any(not name.startswith(prefix) for name in missing):
            continue  # a random classifier
        pooler = {name for name in missing if name.startswith(f"{prefix}pooler.")}
        absent = sorted(missing - pooler)
        if absent:
            raise ModelError(
                f"The checkpoint of {checkpoint.spec} lacks {len(absent)} weights of a {recipe.model_type} encoder, "
                f"among them {absent[0]}: fetch it again, or name another."
            )
        if pooler:  # random weights: out, so that neither a readout nor the digest of the weights can see them
            _encoder(architecture, model).pooler = None  # type: ignore[assignment]
        return architecture, model
    raise AssertionError("the bare encoder is no classifier, so the loop returns or raises")


def _no_pooler(recipe: Recipe, spec: str) -> str:
    others = " or ".join(readout for readout in recipe.readouts if readout is not Readout.POOLER)
    return (
        f"The checkpoint of {spec} has no trained pooler (it was saved from a pre-training or classification model "
        f"without one): choose another readout with --readout {others}."
    )


def _preprocessing(recipe: Recipe, checkpoint: Checkpoint, settings: ProcessorSettings | None) -> Preprocessing:
    spec, size = checkpoint.spec, image_size(checkpoint.config)
    if settings is not None:
        preprocessing = read_processor(settings, checkpoint)
        if recipe.processor is not None and size is not None and preprocessing.input_size != size:
            raise ModelError(
                f"The image processor of {spec} makes images of {_by(preprocessing.input_size)} pixels, "
                f"its config.json says {_by(size)}: correct one of them."
            )
        return preprocessing
    if recipe.processor is None or size is None:
        raise ModelError(
            f"The directory {checkpoint.directory} of {spec} has no preprocessor_config.json, so it is unknown "
            "what its network expects: save the image processor beside the model with processor.save_pretrained."
        )
    return recipe.processor.at(size)


def _head(model: Any, config: Any) -> ClassificationHead:
    from vitequiv.encoders.base import ClassificationHead
    from vitequiv.encoders.huggingface.tower import Logits

    return ClassificationHead(Logits(model), tuple(str(config.id2label[i]) for i in range(config.num_labels)))


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
