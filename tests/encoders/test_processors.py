"""Processor settings: read from the checkpoint, refused where they cannot be reproduced, never guessed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.checkpoints import TRANSFORMERS
from tests.encoders.official import hf_pixels
from vitequiv.encoders.adapters import beit, deit, swin, vitmae, vitmsn
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ModelError
from vitequiv.images.preprocessing import ResizeMode


@pytest.fixture
def with_settings(directory, tmp_path):
    """A copy of a variant with changed processor settings; None removes a setting."""

    def change(name: str, **settings: object) -> Path:
        path = Path(shutil.copytree(directory(name), tmp_path / name))
        file = path / "preprocessor_config.json"
        merged = json.loads(file.read_text()) | settings
        file.write_text(json.dumps({key: value for key, value in merged.items() if value is not None}))
        return path

    return change


CROP = {"do_center_crop": True, "crop_size": {"height": 32, "width": 32}}

HANDLED = [
    {},
    {"do_resize": False, **CROP},
    {"do_center_crop": False, "crop_size": {"height": 9, "width": 9}},
    {"do_normalize": False},
    {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.3, 0.2, 0.1]},
    {"resample": 0},
    {"resample": 1},
    {"resample": 3},
    {"resample": 4},
    {"size": {"shortest_edge": 40}, **CROP},
    {"size": 32},
    {"size": {"height": 20, "width": 50}, **CROP},
    {"image_processor_type": None, "feature_extractor_type": "BeitFeatureExtractor", "rescale_factor": None},
    {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 0.8},
    {"unknown_setting": 7},
]


@pytest.mark.parametrize("settings", HANDLED, ids=str)
def test_handled_settings_equal_the_processor(settings, with_settings, cat):
    path = with_settings("hf-vit", **settings)
    encoder = load_encoder(f"hf:{path}")
    # Pixels are 8-bit levels on both sides; what is left is float32 rounding of (x / 255 - m) / s.
    expected = hf_pixels(path, cat)[0]
    assert float((encoder.normalise(encoder.preprocess(cat)[None])[0] - expected).abs().max()) < 1e-5


REFUSED = [
    ({"do_pad": True, "pad_size": {"height": 40, "width": 40}}, "asks for do_pad"),
    ({"rescale_factor": 1 / 127.5}, "asks for rescale_factor 0.0078"),
    ({"do_rescale": False}, "asks for do_rescale false"),
    ({"do_resize": False, "do_center_crop": False}, "asks for do_resize false without do_center_crop"),
    ({"size": {"shortest_edge": 32}, "do_center_crop": False}, "without do_center_crop"),
    ({"size": {"shortest_edge": 32, "longest_edge": 64}, **CROP}, "asks for size"),
    ({"size": {"longest_edge": 64}, **CROP}, "asks for size"),
    ({"resample": 77}, "asks for resample|cannot be loaded"),
    ({"image_processor_type": "NoSuchProcessor"}, "cannot be loaded"),
    ({"image_processor_type": "EfficientNetImageProcessor", "rescale_offset": True}, "more than resize, crop and"),
    ({"image_processor_type": "MobileViTImageProcessor", "do_flip_channel_order": True}, "more than resize, crop and"),
]


@pytest.mark.parametrize(("settings", "fragment"), REFUSED, ids=str)
def test_refused_settings_are_named(settings, fragment, with_settings):
    path = with_settings("hf-vit", **settings)
    with pytest.raises(ModelError, match=fragment) as error:
        load_encoder(f"hf:{path}")
    assert f"hf:{path}" in error.value.message


def test_processor_and_network_must_agree_on_the_size(with_settings):
    path = with_settings("beit", size={"height": 64, "width": 64})
    with pytest.raises(ModelError, match=r"makes images of 64 x 64 pixels, its config\.json says 32 x 32"):
        load_encoder(f"beit:{path}")


@pytest.mark.parametrize("name", ["beit", "swin", "deit", "vitmae", "vitmsn"])
def test_without_a_processor_file_the_published_settings_are_used(name, encoder, directory, tmp_path, cat):
    path = Path(shutil.copytree(directory(name), tmp_path / name))
    (path / "preprocessor_config.json").unlink()
    bare, full = load_encoder(f"{name}:{path}"), encoder(name)
    assert bare.preprocessing == full.preprocessing
    assert torch.equal(bare.preprocess(cat), full.preprocess(cat))


@pytest.mark.parametrize("name", ["hf-vit", "hf-clip", "hf-dinov2"])
def test_without_a_processor_file_other_types_are_refused(name, directory, tmp_path):
    path = Path(shutil.copytree(directory(name), tmp_path / name))
    (path / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"has no preprocessor_config\.json"):
        load_encoder(f"hf:{path}")


# The hub's settings at 224 pixels and, for DeiT, at 384, whose processor says 438.
@pytest.mark.parametrize(
    ("module", "size", "resized", "resample", "mean"),
    [
        (beit, 224, 224, 2, 0.5),
        (swin, 224, 224, 3, 0.485),
        (deit, 224, 256, 3, 0.485),
        (deit, 384, 438, 3, 0.485),
        (vitmae, 224, 224, 3, 0.485),
        (vitmsn, 224, 224, 2, 0.485),
    ],
)
def test_published_settings(module, size, resized, resample, mean):
    preprocessing = module.RECIPE.processor.at((size, size))
    assert preprocessing.input_size == (size, size)
    assert preprocessing.resize.size == (resized, resized)
    assert preprocessing.resize.mode is ResizeMode.SQUASH
    assert int(preprocessing.resize.filter.pillow) == resample
    assert preprocessing.mean[0] == mean
    assert (preprocessing.crop is None) == (resized == size)


@pytest.mark.parametrize("name", [name for name, variant in TRANSFORMERS.items() if variant.family == "hf"])
def test_preprocess_gives_levels(name, encoder, cat):
    levels = encoder(name).preprocess(cat).numpy() * 255
    assert np.abs(levels - levels.round()).max() < 1e-4  # float32 rounding of 255 * (k / 255)
