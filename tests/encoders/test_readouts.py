"""Readouts and heads that a checkpoint does not have: refused or left out, never random."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file, save_file

from tests.encoders.spoil import weights
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ModelError, UsageError, VitequivError

POOLERS = [
    ("beit-mim", "beit", None, ModelError, "no trained pooler .* --readout mean or cls"),
    ("hf-vit", "hf", "pooler", UsageError, "no readout pooler: choose from cls, mean"),
    ("hf-vit", "hf", "projection", UsageError, "no readout projection"),
    ("hf-resnet", "hf", "cls", UsageError, "no readout cls: choose from pooler, mean"),
    ("deit", "hf", "pooler", UsageError, "no readout pooler: choose from cls, mean"),
    ("deit", "deit", "pooler", UsageError, "no readout 'pooler'"),
    ("hf-siglip", "hf", "cls", UsageError, "no readout cls"),
    ("hf-chinese-clip", "hf", "cls", UsageError, "no readout cls: choose from projection"),
    ("timm-resnet", "timm", "cls", UsageError, "no class token"),
]


@pytest.mark.parametrize(("name", "family", "readout", "kind", "fragment"), POOLERS)
def test_readouts_the_checkpoint_does_not_have(name, family, readout, kind, fragment, directory):
    with pytest.raises(VitequivError, match=fragment) as error:
        load_encoder(f"{family}:{directory(name)}", readout=readout)
    assert type(error.value) is kind


def test_a_random_pooler_is_never_used(copy):
    """A ViT saved without its pooler: transformers would make a fresh one at each load."""
    path = copy("hf-vit")
    settings = json.loads((path / "config.json").read_text()) | {"architectures": ["ViTModel"]}
    (path / "config.json").write_text(json.dumps(settings))
    state = {name.removeprefix("vit."): tensor for name, tensor in load_file(weights(path)).items()}
    save_file(state, weights(path), metadata={"format": "pt"})
    with pytest.raises(UsageError, match="no readout pooler"):
        load_encoder(f"hf:{path}", readout="pooler")
    assert load_encoder(f"hf:{path}").weights_sha256 == load_encoder(f"hf:{path}").weights_sha256


@pytest.mark.parametrize("name", ["beit", "swin", "deit-plain", "vitmsn-classifier", "hf-vit"])
def test_a_random_classifier_is_no_head(name, copy):
    path = copy(name)
    state = load_file(weights(path))
    kept = {key: tensor for key, tensor in state.items() if not key.startswith("classifier")}
    assert len(kept) == len(state) - 2
    save_file(kept, weights(path), metadata={"format": "pt"})
    encoder = load_encoder(f"{name.partition('-')[0]}:{path}")
    assert encoder.tower.head is None
    assert encoder.labels == ()
