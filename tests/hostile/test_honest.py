"""What is honest passes: settings that the libraries themselves ship are handed on whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from vitequiv.encoders.checkpoints.held import Held
from vitequiv.encoders.checkpoints.settings import Settings
from vitequiv.encoders.huggingface.generic import is_image_encoder
from vitequiv.encoders.huggingface.settings import model_settings, processor_settings
from vitequiv.encoders.load import load_encoder
from vitequiv.encoders.open_clip_models.settings import open_clip_settings
from vitequiv.encoders.timm_models.settings import timm_settings
from vitequiv.errors import ModelError

LARGE = Held({"embedding": (200_000, 64)})
"""More than any of these configurations asks for: the vocabulary of the largest goes by the general limit."""

BY_NAME = {"hf_model_name", "hf_tokenizer_name", "hf_model_pretrained", "tokenizer_kwargs"}


def test_every_configuration_of_open_clip():
    import open_clip

    names = open_clip.list_models()
    assert len(names) > 100
    for name in names:
        config = open_clip.get_model_config(name)
        read = open_clip_settings({"model_cfg": config}, Settings(name, f"clip:{name}", LARGE))
        text = config["text_cfg"]
        assert read.model["text_cfg"] == {key: value for key, value in text.items() if key not in BY_NAME}
        assert read.text_model == text.get("hf_model_name")
        assert read.tokenizer_name == text.get("hf_tokenizer_name")
        assert read.tokenizer == text.get("tokenizer_kwargs", {})
        for key in config.keys() - {"text_cfg", "vision_cfg"}:
            assert read.model[key] == config[key]
        vision = {key: value for key, value in config["vision_cfg"].items() if key != "timm_model_pretrained"}
        assert vision.items() <= read.model["vision_cfg"].items()


def test_every_pretrained_configuration_of_timm():
    import timm

    left_out = {"license", "description", "origin_url", "paper_name", "paper_ids", "notes", "custom_load"}
    names = timm.list_pretrained()
    assert len(names) > 1000
    for name in names:
        data = json.loads(json.dumps(timm.get_pretrained_cfg(name).to_dict(remove_source=True)))
        new = {"architecture": name.partition(".")[0], "pretrained_cfg": data}
        old = {**data, "architecture": name.partition(".")[0]}
        for content in (new, old):
            read = timm_settings(content, Settings("config.json", f"timm:{name}", LARGE))["pretrained_cfg"]
            assert {key: value for key, value in data.items() if key not in left_out} == read


def _comparable(config: object) -> object:
    """A configuration without what vitequiv decides itself, and without marks that no class of transformers has."""
    ours = {"dtype", "transformers_version", "_name_or_path", "use_pretrained_backbone", "arch", "archirecture"}

    def strip(part: object) -> object:
        if isinstance(part, dict):
            return {key: strip(value) for key, value in part.items() if key not in ours}
        return part

    return strip(json.loads(config.to_json_string(use_diff=False)))


def test_every_image_encoder_of_transformers():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    tried = 0
    for model_type in list(CONFIG_MAPPING.keys()):
        if not is_image_encoder(model_type):
            continue
        config_class = CONFIG_MAPPING[model_type]
        try:
            default = config_class()
        except (OSError, ValueError):  # by version, a class asks the hub for a part, or has no default
            continue
        written = json.loads(default.to_json_string(use_diff=False))
        read = model_settings(written, config_class, Settings("config.json", f"hf:{model_type}", LARGE))
        assert _comparable(config_class.from_dict(read)) == _comparable(config_class.from_dict(written)), model_type
        tried += 1
    assert tried > 80


SEVERAL_SIZES = r"size\.(longest_edge|max_pixels)|max_image_size"
"""Processors of language models, which make an image of up to so many pixels as it comes, are refused."""


def test_every_image_processor_of_transformers():
    import transformers
    from transformers.models.auto.image_processing_auto import IMAGE_PROCESSOR_MAPPING_NAMES

    kinds = IMAGE_PROCESSOR_MAPPING_NAMES.values()
    names = {name for kind in kinds for name in (kind.values() if isinstance(kind, dict) else kind) if name}
    tried, refused = 0, {}
    for name in sorted(names):
        try:
            processor = getattr(transformers, name)()
        except (ImportError, TypeError, ValueError, AttributeError):  # wants a package, or an argument
            continue
        written = json.loads(processor.to_json_string())
        try:
            read = processor_settings(written, Settings("preprocessor_config.json", f"hf:{name}", LARGE))
        except ModelError as error:
            refused[name] = error.message
            continue
        assert {key for key in written if key not in read} <= {
            "repo_path",
            "tesseract_config",
            "character",
            "td_token",
        }, name
        tried += 1
    assert tried > 50
    assert [message for message in refused.values() if not re.search(SEVERAL_SIZES, message)] == []


def test_a_cache_of_the_hub_is_no_escape(directory, tmp_path, encoder):
    """There files are links to the blobs of the same repository."""
    repository = tmp_path / "models--someone--vit"
    snapshot, blobs = repository / "snapshots" / ("0" * 40), repository / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, file in enumerate(sorted(directory("hf-vit").iterdir())):
        (blobs / str(number)).write_bytes(file.read_bytes())
        (snapshot / file.name).symlink_to(Path("..") / ".." / "blobs" / str(number))
    assert load_encoder(f"hf:{snapshot}").weights_sha256 == encoder("hf-vit").weights_sha256


def test_a_directory_may_be_a_link_and_its_files_too(directory, tmp_path, encoder):
    real = Path(shutil.copytree(directory("timm"), tmp_path / "real"))
    (real / "weights").mkdir()
    (real / "model.safetensors").rename(real / "weights" / "best")
    (real / "model.safetensors").symlink_to("weights/best")
    (tmp_path / "link").symlink_to(real)
    assert load_encoder(f"timm:{tmp_path / 'link'}").weights_sha256 == encoder("timm").weights_sha256
