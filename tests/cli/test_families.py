"""The command through every family, on small checkpoints in each library's own format."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.cli.conftest import CAT, COFFEE
from tests.loaded import loaded
from vitequiv.matching.objective import relative_residual

FAMILIES = ["clip", "beit", "swin", "deit", "vitmae", "vitmsn", "timm", "hf-vit"]


@pytest.mark.parametrize("family", FAMILIES)
def test_match(run, checkpoints, tmp_path, family):
    # Random weights take all photos for nearly the same, so the goal is set by what there is to win.
    spec = checkpoints[family]
    encoder = loaded(spec)
    with torch.no_grad():
        target = encoder.embed(encoder.preprocess(Image.open(COFFEE).convert("RGB"))[None])
        start = encoder.embed(encoder.preprocess(Image.open(CAT).convert("RGB"))[None])
        goal = 0.67 * relative_residual(start - target, target).item()
    done = run("match", CAT, COFFEE, "--model", spec, "--residual", goal, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, done.out + done.err
    assert record["model"]["spec"] == spec
    assert record["settings"]["model"]["source"] == "flag"
    assert record["cost"]["vjps"] > 0
    # The saved file through the checkpoint's own preprocessing: whatever that crops, the match is there.
    path = tmp_path / "vitequiv-out/cat_to_coffee/matched.png"
    with Image.open(path) as image, torch.no_grad():
        saved = encoder.embed(encoder.preprocess(image.convert("RGB"))[None])
        assert (image.height, image.width) == (
            record["result"]["canvas"]["height"],
            record["result"]["canvas"]["width"],
        )
    residual = relative_residual(saved - target, target).item()
    assert residual <= goal
    assert record["result"]["relative_residual"]["saved"] == pytest.approx(residual, rel=1e-4)


@pytest.mark.parametrize("name", ["tiny-beit", "tiny-swin", "tiny-deit", "tiny-vitmae", "tiny-vitmsn"])
def test_match_in_the_tiny_zoo(run, tmp_path, name):
    done = run("match", CAT, COFFEE, "--model", name, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, done.out + done.err
    assert record["model"]["checkpoint"] == "embedded"
    assert record["result"]["cosine"]["saved"] >= 0.99
    encoder = loaded(name)
    with Image.open(tmp_path / "vitequiv-out/cat_to_coffee/matched.png") as image, torch.no_grad():
        saved = encoder.embed(encoder.preprocess(image.convert("RGB"))[None])
        target = encoder.embed(encoder.preprocess(Image.open(COFFEE).convert("RGB"))[None])
    assert torch.cosine_similarity(saved, target).item() == pytest.approx(record["result"]["cosine"]["saved"], abs=1e-5)


def test_a_checkpoint_of_another_family_is_refused(run, checkpoints):
    directory = checkpoints["swin"].partition(":")[2]
    done = run("match", CAT, COFFEE, "--model", f"beit:{directory}")
    assert done.code == 4
    assert f"use swin:{directory}" in done.err


def test_corrupt_weights_are_refused(run, checkpoints, tmp_path):
    shutil.copytree(Path(checkpoints["deit"].partition(":")[2]), tmp_path / "deit")
    weights = tmp_path / "deit" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = run("match", CAT, COFFEE, "--model", "deit:deit")
    assert done.code == 4
    assert "model.safetensors" in done.err


@pytest.mark.parametrize("spec", ["beit", "swin", "deit", "vitmae", "vitmsn", "clip", "timm:vit_tiny_patch16_224"])
def test_a_hub_that_cannot_be_reached_leaves_three_ways_on(run, spec):
    done = run("match", CAT, COFFEE, "--model", spec)
    assert done.code == 4
    for way in ("directory", "HF_HOME", "tiny-clip"):
        assert way in done.err
