"""Determinism, dtypes and the digest of the weights."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.checkpoints import BUILDERS, FAMILIES, build
from vitequiv.encoders.load import load_encoder
from vitequiv.encoders.weights import digest

READOUTS = {"beit-mim": "mean"}


@pytest.mark.parametrize("name", [*BUILDERS, "tiny-clip"])
def test_two_loads_agree_bit_for_bit(name, encoder, checkpoints, cat):
    first = encoder(name, READOUTS.get(name))
    second = load_encoder(checkpoints.get(name, name), readout=READOUTS.get(name))
    assert first.weights_sha256 == second.weights_sha256
    pixels = first.preprocess(cat)[None]
    assert torch.equal(first.embed(pixels), second.embed(pixels))


@pytest.mark.parametrize("name", [*BUILDERS, "tiny-clip"])
def test_a_copy_agrees_bit_for_bit(name, encoder, cat):
    """Weights mapped from a file lie where it has them, and products sum in another order at odd places."""
    original = encoder(name, READOUTS.get(name))
    pixels = original.normalise(original.preprocess(cat)[None])
    assert torch.equal(copy.deepcopy(original.tower.module)(pixels), original.tower.module(pixels))


@pytest.mark.parametrize("name", ["beit", "swin", "deit", "vitmae", "vitmsn", "hf-vit", "clip", "timm"])
def test_digest_does_not_depend_on_the_order_in_the_file(name, encoder, directory, tmp_path):
    path = Path(shutil.copytree(directory(name), tmp_path / name))
    (weights,) = path.glob("*.safetensors")
    state = load_file(weights)
    save_file(dict(reversed(state.items())), weights, metadata={"format": "pt", "more": "words"})
    assert load_encoder(f"{name.partition('-')[0]}:{path}").weights_sha256 == encoder(name).weights_sha256


def test_digest_sees_one_bit():
    module = torch.nn.Linear(3, 2)
    before = digest(module)
    with torch.no_grad():
        module.bias[0] = torch.nextafter(module.bias[0], torch.tensor(9.0))
    assert digest(module) != before
    assert len(before) == 64


def test_checkpoints_are_deterministic_by_seed(tmp_path, encoder):
    spec = build("beit", tmp_path / "again")
    assert load_encoder(spec).weights_sha256 == encoder("beit").weights_sha256


@pytest.mark.parametrize("stored", [torch.float16, torch.bfloat16, torch.float64])
def test_whatever_the_file_holds_the_network_is_float32(stored, directory, tmp_path, cat):
    path = Path(shutil.copytree(directory("beit"), tmp_path / "beit"))
    state = load_file(path / "model.safetensors")
    save_file({k: v.to(stored) for k, v in state.items()}, path / "model.safetensors", metadata={"format": "pt"})
    encoder = load_encoder(f"beit:{path}")
    assert {parameter.dtype for parameter in encoder.tower.module.parameters()} == {torch.float32}
    assert encoder.embed(encoder.preprocess(cat)[None]).dtype == torch.float32


@pytest.mark.parametrize("name", [*FAMILIES, "tiny-clip"])
def test_dtypes(name, encoder, cat):
    single, double, half = (encoder(name, None, d) for d in (torch.float32, torch.float64, torch.bfloat16))
    pixels = single.preprocess(cat)[None]
    a, b, c = single.embed(pixels), double.embed(pixels), half.embed(pixels)
    assert (a.dtype, b.dtype, c.dtype) == (torch.float32, torch.float64, torch.float32)
    assert double.preprocess(cat).dtype == torch.float64
    assert single.weights_sha256 == double.weights_sha256 == half.weights_sha256
    assert float((a - b).norm() / b.norm()) < 1e-5  # float32 has 24 bits, lost over a few layers
    assert 0 < float((c - b).norm() / b.norm()) < 5e-2  # bfloat16 has 8 bits


@pytest.mark.parametrize("name", [*FAMILIES, "tiny-clip"])
def test_parameters_are_frozen_and_the_network_in_eval_mode(name, encoder):
    for module in encoder(name).tower.modules():
        assert not any(part.training for part in module.modules())
        assert not any(parameter.requires_grad for parameter in module.parameters())


@pytest.mark.parametrize("name", ["clip", "tiny-clip"])
def test_text_in_float64(name, encoder):
    text = ["a photo of a red star"]
    single, double = encoder(name).embed_text(text), encoder(name, None, torch.float64).embed_text(text)
    assert double.dtype == torch.float64
    assert float((single - double).norm() / double.norm()) < 1e-5
