"""The hub: out of reach, at once and in one sentence; a filled cache serves without it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.encoders.spoil import honest_pickle
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ExitCode, ModelError

ROOT = Path(__file__).parents[2]
DEFAULTS = ["clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm:vit_tiny_patch16_224", "hf:facebook/dinov2-small"]
WAYS = ["name a local directory", "HF_HOME", "tiny-clip"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty hub cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.mark.parametrize("spec", [*DEFAULTS, "clip:hf-hub:a/b", "timm:hf-hub:a/b", "clip:ViT-B-16-SigLIP/webli"])
def test_out_of_reach_names_the_three_ways_on(spec, cache, monkeypatch):
    waits: list[float] = []  # between tries the hub's client would sleep
    monkeypatch.setattr("time.sleep", waits.append)
    with pytest.raises(ModelError) as error:
        load_encoder(spec)
    assert all(way in error.value.message for way in WAYS)
    assert spec in error.value.message
    assert error.value.exit_code is ExitCode.MODEL_UNAVAILABLE
    assert waits == []


@pytest.mark.slow
@pytest.mark.parametrize("spec", ["clip", "beit", "timm:vit_tiny_patch16_224"])
def test_a_dead_network_is_noticed_at_once(spec, tmp_path):
    """In a process of its own, with the hub switched on and its address refusing connections."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "0", "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path)}
    code = f"""
import time, vitequiv.encoders.load as load
waits = []
time.sleep = waits.append
from vitequiv.errors import ModelError
family = {spec!r}.partition(":")[0]
__import__({{"clip": "open_clip", "timm": "timm"}}.get(family, "transformers"))
try:
    load.load_encoder({spec!r})
except ModelError as error:
    print(f"{{sum(waits):.1f}} {{error.message}}")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    seconds, _, message = done.stdout.partition(" ")
    assert all(way in message for way in WAYS), done.stderr
    assert float(seconds) < 5  # the hub's own retries wait 23 s a file
    assert done.stderr == ""


def fill(cache: Path, repo: str, source: Path) -> None:
    """Lay a directory into the cache as the hub's client does."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    revision = "0" * 40
    shutil.copytree(source, folder / "snapshots" / revision)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(revision)


@pytest.mark.parametrize(
    ("name", "repo", "spec"),
    [
        ("beit", "microsoft/beit-base-patch16-224", "beit"),
        ("deit", "someone/deit", "deit:someone/deit"),
        ("hf-vit", "someone/vit", "hf:someone/vit"),
        ("clip", "someone/clip", "clip:hf-hub:someone/clip"),
        ("timm", "someone/timm", "timm:hf-hub:someone/timm"),
    ],
)
def test_a_filled_cache_serves(name, repo, spec, cache, directory, encoder):
    fill(cache, repo, directory(name))
    found = load_encoder(spec)
    assert found.weights_sha256 == encoder(name).weights_sha256
    assert found.checkpoint == (repo if spec == "beit" else spec.partition(":")[2])


def test_a_cached_timm_name(cache, tmp_path):
    import timm
    from safetensors.torch import save_file

    from tests.checkpoints import jitter

    model = timm.create_model("test_vit")
    jitter(model, 0)
    (tmp_path / "files").mkdir()
    save_file(model.state_dict(), tmp_path / "files" / "model.safetensors")
    fill(cache, "timm/test_vit.r160_in1k", tmp_path / "files")
    encoder = load_encoder("timm:test_vit")
    assert encoder.input_size == (160, 160)
    assert len(encoder.labels) == 1000


def test_a_cached_open_clip_tag_keeps_its_own_preprocessing(cache, tmp_path, monkeypatch, directory):
    """A small architecture under the name of a SigLIP tag, whose preprocessing is not OpenAI's."""
    import json

    import open_clip
    from open_clip import factory

    architecture, tag = "ViT-B-16-SigLIP", "webli"
    config = json.loads((directory("clip") / "open_clip_config.json").read_text())["model_cfg"]
    monkeypatch.setitem(factory._MODEL_CONFIGS, architecture, config)
    fill(cache, "timm/ViT-B-16-SigLIP", directory("clip"))
    encoder = load_encoder(f"clip:{architecture}/{tag}")
    assert encoder.preprocessing.mean == open_clip.get_pretrained_cfg(architecture, tag)["mean"] == (0.5, 0.5, 0.5)
    assert encoder.preprocessing.crop is None


@pytest.mark.parametrize(
    ("name", "spec"),
    [("beit", "beit:someone/x"), ("clip", "clip:hf-hub:someone/x"), ("timm", "timm:hf-hub:someone/x")],
)
def test_pickles_are_neither_fetched_nor_opened(name, spec, cache, copy, monkeypatch):
    import huggingface_hub
    import torch

    asked = []
    original = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda repo, allow_patterns: asked.extend(allow_patterns) or original(repo, allow_patterns=allow_patterns),
    )
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch.load was called"))
    path = copy(name)
    honest_pickle(path)
    fill(cache, "someone/x", path)
    with pytest.raises(ModelError, match="pickles are never fetched"):
        load_encoder(spec)
    assert asked
    assert not [pattern for pattern in asked if Path("w.bin").match(pattern) or Path("w.pth").match(pattern)]
    assert not [pattern for pattern in asked if pattern.endswith((".bin", ".pt", ".pth", ".pkl", ".py"))]


def test_a_timm_name_without_a_hub_repository(monkeypatch):
    import timm

    config = timm.get_pretrained_cfg("test_vit")
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda _: replace(config, hf_hub_id=None, url="http://x/y.pth"))
    with pytest.raises(ModelError, match="only as a pickle on a web server"):
        load_encoder("timm:test_vit")
