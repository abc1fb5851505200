"""Architectures and weight tags of open_clip."""

from __future__ import annotations

import difflib
from pathlib import Path

from vitequiv.encoders.checkpoints.source import Wanted, fetch
from vitequiv.encoders.open_clip_models import tokenizer
from vitequiv.errors import ModelError

SAFE_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
"""Names open_clip's repositories give their weights, best first."""

PICKLES = (
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
WEIGHT_FILES = (*SAFE_NAMES[:2], *PICKLES[:2], SAFE_NAMES[2], *PICKLES[2:], "*.safetensors", "*.bin", "*.pth")
"""In the order in which open_clip looks for them in a directory; a pickle is refused where it would take one."""

WANTED = Wanted(
    weights=(SAFE_NAMES[:1], SAFE_NAMES[1:]),
    others=("open_clip_config.json", "config.json", *tokenizer.WANTED),
)


def parse_name(checkpoint: str, spec: str) -> tuple[str, str]:
    """Split `ARCH/TAG` and check that open_clip has both.

    Args:
        checkpoint: What the user typed after `clip:`.
        spec: The encoder spec, for messages.

    Returns:
        The architecture and the tag.

    Raises:
        ModelError: If either is unknown (near matches are named), the tag is missing, or the weights were trained with
            another activation than the architecture has.
    """
    import open_clip

    architectures = open_clip.list_models()
    architecture, _, tag = checkpoint.rpartition("/")
    if checkpoint.replace("/", "-") in architectures:  # also OpenAI's way to write them, ViT-B/32
        architecture, tag = checkpoint.replace("/", "-"), ""
    if architecture not in architectures:
        near = difflib.get_close_matches(architecture or checkpoint, architectures, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see open_clip.list_models()."
        raise ModelError(f"open_clip has no architecture {architecture or checkpoint!r} ({spec}): {hint}")
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if not tags:
        raise ModelError(f"open_clip has no weights for {architecture} ({spec}): use clip:local-dir:DIR for your own.")
    if not tag:
        example = next((tag for tag in tags if _quick_gelu_twin(architecture, tag) is None), tags[0])
        raise ModelError(
            f"Say which weights of {architecture}, as in clip:{architecture}/{example}: {', '.join(tags)}."
        )
    tag = tag.lower().replace("-", "_")  # as open_clip compares them
    if tag not in tags:
        near = difflib.get_close_matches(tag, tags, n=3, cutoff=0.4) or tags
        raise ModelError(f"open_clip has no weights {tag!r} for {architecture} ({spec}): try {' or '.join(near)}.")
    twin = _quick_gelu_twin(architecture, tag)
    if twin is not None:  # open_clip only warns, and the embeddings differ
        raise ModelError(f"The weights of {spec} were trained with QuickGELU: use clip:{twin}/{tag}.")
    return architecture, tag


def _quick_gelu_twin(architecture: str, tag: str) -> str | None:
    """Returns the architecture with the activation these weights were trained with, if it is not the one named."""
    import open_clip

    twin = f"{architecture}-quickgelu"
    config = open_clip.get_model_config(architecture) or {}
    trained_quick = open_clip.get_pretrained_cfg(architecture, tag).get("quick_gelu", False)
    differs = trained_quick and not config.get("quick_gelu", False)
    return twin if differs and tag in open_clip.list_pretrained_tags_by_model(twin) else None


def weight_file(architecture: str, tag: str, spec: str) -> Path:
    """Bring the weights of a tag here; unlike open_clip's own download this does not retry where there is no network.

    Args:
        architecture: The architecture.
        tag: Its tag.
        spec: The encoder spec, for messages.

    Returns:
        The file.

    Raises:
        ModelError: If it cannot be had.
    """
    import open_clip

    where: str = open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "")
    repo, _, filename = where.rpartition("/")
    if not repo:
        raise ModelError(f"open_clip does not say where on the hub the weights of {spec} are: use clip:local-dir:DIR.")
    candidates = (str(Path(filename).with_suffix(".safetensors")),) if filename else SAFE_NAMES[:2]
    directory: Path = fetch(repo, spec, Wanted(weights=(candidates,)))
    return next(directory / name for name in candidates if (directory / name).is_file())
