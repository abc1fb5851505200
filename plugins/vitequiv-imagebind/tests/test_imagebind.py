"""ImageBind against the original's own numbers (see make_reference.py), and what is refused."""

from __future__ import annotations

import json
import pickle
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
from imagebind_inputs import SIZE, TEXTS, levels, normalised
from safetensors.torch import load_file, save_file
from vitequiv_imagebind import files
from vitequiv_imagebind.heads import find_heads
from vitequiv_imagebind.keys import IGNORED, convert
from vitequiv_imagebind.load import MEAN, STD
from vitequiv_imagebind.towers import build_image_model, build_text_model

from vitequiv import load_encoder
from vitequiv.errors import ExitCode, ModelError
from vitequiv.testing import CHECKS, check_encoder, registry_of

DATA = Path(__file__).parent / "data"
REFERENCE = load_file(DATA / "reference.safetensors")
STATE = load_file(DATA / "tiny.safetensors")
USED = [name for name in STATE if not IGNORED.match(name)]
REGISTRY = registry_of("vitequiv_imagebind.plugin")
TOLERANCE = 1e-5
"""Relative to the largest number: float32 sums in another order, of two blocks of width 16."""


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """Torch hub's directory, empty, and a working directory of its own."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(files.CONSENT, raising=False)
    return tmp_path / "torch" / "hub"


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory) -> dict[str, Path]:
    """The same weights in both formats, each with its number of heads beside it."""
    folder = tmp_path_factory.mktemp("imagebind")
    for name in ("tiny.safetensors", "tiny.json"):
        shutil.copy(DATA / name, folder / name)
    torch.save(STATE, folder / "tiny.pth")
    return {"safetensors": folder / "tiny.safetensors", "pth": folder / "tiny.pth"}


def load(path: object, **options: object):
    return load_encoder(f"imagebind:{path}", registry=REGISTRY, **options)


def worst(found: torch.Tensor, expected: torch.Tensor) -> float:
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
@pytest.mark.parametrize(("readout", "suffix"), [(None, ""), ("projection", "_projection")])
def test_vision_equals_the_original(checkpoints, kind, readout, suffix):
    encoder = load(checkpoints[kind], readout=readout)
    with torch.no_grad():
        assert worst(encoder.tower.module(normalised()), REFERENCE[f"vision{suffix}"]) < TOLERANCE
        assert worst(encoder.embed(levels().float() / 255), REFERENCE[f"vision{suffix}"]) < TOLERANCE


@pytest.mark.parametrize("kind", ["pth", "safetensors"])
def test_text_equals_the_original(checkpoints, kind):
    encoder, raw = load(checkpoints[kind]), load(checkpoints[kind], readout="projection")
    text = encoder.tower.text
    assert torch.equal(text.tokenize(TEXTS), REFERENCE["tokens"])
    assert worst(raw.embed_text(TEXTS), REFERENCE["text_projection"]) < TOLERANCE
    assert worst(text.logit_scale * encoder.embed_text(TEXTS), REFERENCE["text_scaled"]) < TOLERANCE


def test_the_default_is_a_unit_vector(checkpoints):
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        encoder = load(checkpoints["pth"], dtype=dtype)
        with torch.no_grad():
            lengths = encoder.embed(levels().to(encoder.pixel_dtype) / 255).norm(dim=1)
        assert lengths.tolist() == pytest.approx([1, 1], abs=1e-6)


def official(image):
    """ImageBind's own transform (data.load_and_transform_vision_data), which is torchvision's."""
    from torchvision import transforms

    steps = [transforms.Resize(SIZE, interpolation=transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(SIZE)]
    return transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(MEAN, STD)])(image)


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_conformance(check, checkpoints):
    reload = partial(load, checkpoints["pth"])
    check(reload(), reload=reload, official=official)


def test_conformance_at_once(checkpoints):
    reload = partial(load, checkpoints["safetensors"], readout="projection")
    report = check_encoder(reload(), reload=reload, official=official)
    assert {"preprocessing", "text", "reload", "gradient"} <= set(report.passed)
    assert set(report.not_applicable) <= {"head", "devices"}


def full_size() -> dict[str, torch.Tensor]:
    """Every tensor of imagebind_huge by name and shape, without memory."""
    lines = [line.split(" ") for line in (DATA / "huge-keys.txt").read_text(encoding="utf-8").splitlines()]
    shapes = {name: [int(n) for n in shape.split("x") if n] for name, shape in lines}
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def test_every_key_of_the_full_size_model_has_its_place(monkeypatch, tmp_path):
    theirs = full_size()
    used = {name: tensor for name, tensor in theirs.items() if not IGNORED.match(name)}
    # The mask is the one tensor that is looked into.
    used["modality_preprocessors.text.mask"] = torch.full((77, 77), -torch.inf).triu(1)
    parts = convert(used, "imagebind")
    heads = find_heads(tmp_path / "imagebind_huge.pth", parts.vision.width, parts.text.width, "imagebind")
    models = [build(parts, heads, "imagebind") for build in (build_image_model, build_text_model)]
    assert (heads.vision, heads.text) == (16, 16)
    assert (parts.image_size, parts.patch, parts.embedding_dim) == (224, 14, 1024)
    assert (parts.vision.layers, parts.text.layers, parts.vocabulary, parts.context) == (32, 24, 49408, 77)
    numbers = sum(p.numel() for model in models for p in model.parameters())
    # Theirs, less the mask and the factor on the cosine, and with one frame of the two of the patch kernel.
    kernel = theirs["modality_preprocessors.vision.rgbt_stem.proj.1.weight"].numel() // 2
    assert numbers == sum(tensor.numel() for tensor in used.values()) - 77 * 77 - 1 - kernel
    assert len(theirs) == 1311
    assert {name.split(".")[1] for name in theirs.keys() - used.keys()} == {"audio", "depth", "thermal", "imu"}


@pytest.mark.parametrize("name", USED)
def test_no_key_may_be_missing(name):
    rest = {key: tensor for key, tensor in STATE.items() if key != name and not IGNORED.match(key)}
    # Without its last block's first tensors a trunk looks shorter, and the rest of that block is what is too much.
    with pytest.raises(ModelError, match=r"^The checkpoint imagebind:x has (no|\d+ tensors)"):
        convert(rest, "imagebind:x")


def test_the_small_state_dict_has_the_full_ones_kinds_of_keys():
    def kinds(names):
        return {
            ".".join(
                "N" if part.isdigit() and before == "blocks" else part
                for before, part in zip(["", *name.split(".")], name.split("."), strict=False)
            )
            for name in names
        }

    assert kinds(STATE) == kinds(full_size())


def spoilt(tmp_path, change) -> Path:
    state = dict(STATE)
    change(state)
    save_file(state, tmp_path / "spoilt.safetensors")
    shutil.copy(DATA / "tiny.json", tmp_path / "spoilt.json")
    return tmp_path / "spoilt.safetensors"


VISION = "modality_preprocessors.vision."
SPOILT = {
    "a modality nobody knows": (lambda s: s.update({"modality_heads.touch.0.weight": torch.ones(2)}), "1 tensors that"),
    "a layer scale": (lambda s: s.update({"modality_trunks.vision.blocks.0.gamma": torch.ones(16)}), "blocks.0.gamma"),
    "three frames": (
        lambda s: s.update({f"{VISION}rgbt_stem.proj.1.weight": torch.ones(16, 3, 3, 28, 28)}),
        "has shape (16, 3, 3, 28, 28), expected (any, 3, 2, any, any)",
    ),
    "no square grid": (
        lambda s: s.update({f"{VISION}pos_embedding_helper.pos_embed": torch.ones(1, 64, 16)}),
        "no square grid",
    ),
    "another mask": (lambda s: s.update({"modality_preprocessors.text.mask": torch.zeros(77, 77)}), "no causal mask"),
    "another vocabulary": (
        lambda s: s.update({"modality_preprocessors.text.token_embedding.weight": torch.ones(99, 8)}),
        "has 99 tokens",
    ),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_is_not_imagebind_is_refused(name, tmp_path):
    change, words = SPOILT[name]
    with pytest.raises(ModelError) as error:
        load(spoilt(tmp_path, change))
    assert words in error.value.message
    assert "\n" not in error.value.message
    assert error.value.exit_code == ExitCode.MODEL_UNAVAILABLE


def test_without_the_unused_modalities_it_loads_as_well(tmp_path, checkpoints):
    def strip(state):
        for name in [*filter(IGNORED.match, state)]:
            del state[name]

    assert load(spoilt(tmp_path, strip)).weights_sha256 == load(checkpoints["pth"]).weights_sha256


def test_the_number_of_heads_matters_and_is_asked_for(tmp_path):
    path = spoilt(tmp_path, lambda state: None)
    pixels = levels().float() / 255
    path.with_suffix(".json").write_text(json.dumps({"vision_heads": 2, "text_heads": 2}))
    with torch.no_grad():
        assert worst(load(path).embed(pixels), REFERENCE["vision"]) > 100 * TOLERANCE
    for said, words in [
        ({}, 'none is known for width 16: write {"vision_heads": N, "text_heads": N} into'),
        ({"vision_heads": 4}, "none is known for width 8"),
        ({"vision_heads": 3, "text_heads": 2}, "divides 16, got 3"),
        ({"vision_heads": "4", "text_heads": 2}, "divides 16, got '4'"),
    ]:
        path.with_suffix(".json").write_text(json.dumps(said))
        with pytest.raises(ModelError) as error:
            load(path)
        assert words in error.value.message


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_no_file_runs_code(tmp_path):
    torch.save({**STATE, "bomb": Bomb(tmp_path / "exploded")}, tmp_path / "torch.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    for name in ("torch.pth", "plain.pth"):
        with pytest.raises(ModelError, match=name):
            load(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


def test_other_files_are_refused_in_one_sentence(tmp_path):
    torch.save({"state_dict": STATE}, tmp_path / "wrapped.pth")
    (tmp_path / "short.safetensors").write_bytes((DATA / "tiny.safetensors").read_bytes()[:999])
    for path, words in [
        (tmp_path / "wrapped.pth", "no plain state dict"),
        (tmp_path / "short.safetensors", "damaged"),
        (tmp_path / "absent.pth", "There is no file"),
        (tmp_path, "is a directory: name the file in it"),
    ]:
        with pytest.raises(ModelError, match=words) as error:
            load(path)
        assert "\n" not in error.value.message


def test_the_licence_is_named_once(checkpoints, capfd):
    load(checkpoints["pth"])
    first = capfd.readouterr()
    assert "CC BY-NC 4.0" in first.err
    assert first.out == ""
    load(checkpoints["pth"])
    assert capfd.readouterr().err == ""


def test_nothing_is_downloaded_without_consent(cache, monkeypatch):
    monkeypatch.setattr(files, "URL", "file:///nowhere")  # were it asked for, the message would be another
    with pytest.raises(ModelError) as error:
        load_encoder("imagebind", registry=REGISTRY)
    for words in ("CC BY-NC 4.0", "no commercial use", f"{files.CONSENT}=CC-BY-NC-4.0", str(cache), "imagebind:PATH"):
        assert words in error.value.message
    assert not cache.exists()


def test_the_download_goes_into_torch_hubs_cache(cache, checkpoints, monkeypatch, tmp_path, capfd):
    source = shutil.copy(checkpoints["pth"], tmp_path / "served.pth")
    monkeypatch.setattr(files, "URL", Path(source).as_uri())
    monkeypatch.setenv(files.CONSENT, "CC-BY-NC-4.0")
    target = cache / "checkpoints" / "imagebind_huge.pth"
    target.parent.mkdir(parents=True)
    shutil.copy(DATA / "tiny.json", target.with_suffix(".json"))
    first = load_encoder("imagebind", registry=REGISTRY)
    said = capfd.readouterr().err
    assert "CC BY-NC 4.0" in said
    assert str(target) in said
    Path(source).unlink()
    monkeypatch.delenv(files.CONSENT)  # what is there may be used
    assert load_encoder("imagebind", registry=REGISTRY).weights_sha256 == first.weights_sha256
    assert capfd.readouterr().err == ""
    assert [*Path.cwd().iterdir()] == []


def test_a_download_that_fails_leaves_nothing(cache, checkpoints, monkeypatch, tmp_path):
    monkeypatch.setenv(files.CONSENT, "cc-by-nc-4.0")
    (tmp_path / "broken.pth").write_bytes(checkpoints["pth"].read_bytes()[:5000])
    for url, words in [
        ((tmp_path / "absent.pth").as_uri(), "cannot be downloaded"),
        ((tmp_path / "broken.pth").as_uri(), "damaged"),
    ]:
        monkeypatch.setattr(files, "URL", url)
        with pytest.raises(ModelError, match=words):
            load_encoder("imagebind", registry=REGISTRY)
        assert [*(cache / "checkpoints").iterdir()] == []
