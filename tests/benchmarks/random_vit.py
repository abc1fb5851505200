"""A ViT of standard shape with random weights, in the hub's own format, for costs that do not depend on training.

python -m tests.benchmarks.random_vit base DIR
python -m vitequiv jacobian PHOTO --model hf:DIR --method topk
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

SHAPES = {
    "small": {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "patch_size": 16},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "patch_size": 16},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "patch_size": 16},
    "huge": {"hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 16, "patch_size": 14},
}
"""Dosovitskiy et al. 2020, arXiv 2010.11929, table 1; the huge one with ImageBind's patches."""


def write(shape: str, directory: Path, seed: int = 0) -> None:
    """Make the model and its processor and save both."""
    from transformers import ViTConfig, ViTImageProcessor, ViTModel

    torch.manual_seed(seed)
    arguments = SHAPES[shape]
    config = ViTConfig(**arguments, intermediate_size=4 * arguments["hidden_size"], image_size=224)
    ViTModel(config, add_pooling_layer=False).save_pretrained(directory)
    ViTImageProcessor(size={"height": 224, "width": 224}).save_pretrained(directory)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("directory", type=Path)
    options = parser.parse_args()
    write(options.shape, options.directory)


if __name__ == "__main__":
    main()
