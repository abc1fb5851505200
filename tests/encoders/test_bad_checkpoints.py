"""Checkpoints that cannot be used: one sentence each, and nothing random in their place."""

from __future__ import annotations

import json

import pytest

from tests.encoders.spoil import (
    bad_json,
    bomb,
    empty,
    garble,
    honest_pickle,
    lfs_pointer,
    lose_a_tensor,
    nan_weights,
    no_config,
    no_weights,
    plain_pickle,
    truncate,
    web_page,
    weights,
)
from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ExitCode, ModelError

FAULTS = [
    (truncate, "is damaged"),
    (garble, "is damaged"),
    (empty, "is damaged"),
    (web_page, "is a web page, not weights"),
    (lfs_pointer, "is a git-lfs pointer"),
    (no_weights, "has no weights"),
    (bomb, "is a pickle, which could run code and is never opened"),
    (plain_pickle, "is a pickle"),
    (honest_pickle, "is a pickle"),
    (lose_a_tensor, r"lacks 1 weights|Missing key"),
    (nan_weights, "check of finite embedding"),
    (bad_json, "cannot be read"),
    (no_config, "config.json"),
]


@pytest.mark.parametrize("name", ["beit", "swin", "deit", "vitmae", "vitmsn", "clip", "timm", "hf-vit"])
@pytest.mark.parametrize(("spoil", "fragment"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_spoilt_checkpoint(name, spoil, fragment, copy):
    path = copy(name)
    spoil(path)
    with pytest.raises(ModelError, match=fragment) as error:
        load_encoder(f"{name.partition('-')[0]}:{path}")
    assert str(path) in error.value.message
    assert "\n" not in error.value.message
    assert error.value.exit_code is ExitCode.MODEL_UNAVAILABLE
    assert not (path / "exploded").exists()


def test_missing_weights_are_counted_and_named(copy):
    path = copy("swin")
    lose_a_tensor(path)
    with pytest.raises(ModelError, match=r"lacks 1 weights of a swin encoder, among them \S+weight"):
        load_encoder(f"swin:{path}")


def test_missing_shard(copy):
    path = copy("beit")
    no_weights(path)
    index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match=r"lacks 2 of its 2 weight files, among them model-1-of-2\.safetensors"):
        load_encoder(f"beit:{path}")


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/../../x.safetensors"])
def test_an_index_cannot_reach_out_of_its_directory(copy, name):
    path = copy("beit")
    weights(path).rename(path.parent / "model.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(ModelError, match="which is not in its directory"):
        load_encoder(f"beit:{path}")


@pytest.mark.parametrize("index", ["{}", '{"weight_map": 3}', '{"weight_map": {}}', "[]", "[" * 100_000])
def test_an_index_that_is_none(copy, index):
    path = copy("beit")
    no_weights(path)
    (path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ModelError, match=r"index\.json"):
        load_encoder(f"beit:{path}")


@pytest.mark.parametrize("name", ["beit", "clip", "timm"])
def test_a_safetensors_file_of_another_name_does_not_vouch_for_a_pickle(copy, name):
    path = copy(name)
    other = path / "model_ema.safetensors"
    other.write_bytes(weights(path).read_bytes())
    pickled = honest_pickle(path, keep=other)
    if name == "beit":  # open_clip and timm take any safetensors file before a pickle of a common name, or after it
        with pytest.raises(ModelError, match="is a pickle"):
            load_encoder(f"{name}:{path}")
        return
    opened = []
    import torch

    original = torch.load
    torch.load = lambda *a, **k: opened.append(a) or original(*a, **k)
    try:
        with pytest.raises(ModelError, match="is a pickle"):
            load_encoder(f"{name}:{path}")
    finally:
        torch.load = original
    assert opened == []
    assert pickled.exists()


def test_a_sharded_checkpoint(copy, encoder):
    from safetensors.torch import load_file, save_file

    path = copy("beit")
    state = load_file(weights(path))
    no_weights(path)
    names = sorted(state)
    shards = {"part-a.safetensors": names[::2], "part-b.safetensors": names[1::2]}
    for file, keys in shards.items():
        save_file({key: state[key] for key in keys}, path / file, metadata={"format": "pt"})
    weight_map = {key: file for file, keys in shards.items() for key in keys}
    (path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    assert load_encoder(f"beit:{path}").weights_sha256 == encoder("beit").weights_sha256


WRONG_FAMILY = [
    ("beit", "swin", "holds a swin checkpoint: use swin:{dir}"),
    ("swin", "vitmae", "holds a vit_mae checkpoint: use vitmae:{dir}"),
    ("deit", "beit", "use beit:{dir}"),
    ("vitmae", "vitmsn", "use vitmsn:{dir}"),
    ("vitmsn", "hf-vit", "holds a vit checkpoint: use hf:{dir}"),
    ("beit", "timm", "holds a timm checkpoint: use timm:{dir}"),
    ("hf", "timm", "use timm:{dir}"),
    ("deit", "clip", "holds an open_clip checkpoint: use clip:{dir}"),
    ("hf", "clip", "use clip:{dir}"),
    ("clip", "hf-clip", "hf:{dir}"),
    ("clip", "beit", "has no open_clip_config.json"),
    ("timm", "beit", "a beit checkpoint of transformers: use hf:{dir}"),
]


@pytest.mark.parametrize(("family", "name", "fragment"), WRONG_FAMILY)
def test_wrong_family_names_the_right_one(family, name, fragment, directory):
    with pytest.raises(ModelError) as error:
        load_encoder(f"{family}:{directory(name)}")
    assert fragment.format(dir=directory(name)) in error.value.message


def test_every_redirection_works(directory):
    """What the messages of the table above tell the user to do loads."""
    for family, name in {
        (fragment.rpartition("use ")[2].partition(":")[0], name) for _, name, fragment in WRONG_FAMILY
    }:
        if family in {"beit", "swin", "vitmae", "vitmsn", "hf", "timm", "clip"}:
            assert load_encoder(f"{family}:{directory(name)}").family == family


@pytest.mark.parametrize("family", ["beit", "swin", "deit", "vitmae", "vitmsn", "hf", "timm", "clip"])
@pytest.mark.parametrize(
    ("path", "fragment"),
    [
        ("{tmp}/none", "There is no directory {tmp}/none"),
        ("./none", "There is no directory ./none"),
        ("a/b/c", "There is no directory a/b/c"),
        ("none/", "There is no directory none/"),
        ("{tmp}/file", "is a file: name the directory"),
    ],
)
def test_paths_that_are_no_directories(family, path, fragment, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ModelError) as error:
        load_encoder(f"{family}:{path.format(tmp=tmp_path)}")
    assert fragment.format(tmp=tmp_path) in error.value.message


@pytest.mark.parametrize("spec", ["clip:local-dir:/none", "timm:local-dir:/none"])
def test_local_dir_that_is_not_there(spec):
    with pytest.raises(ModelError, match="There is no directory /none"):
        load_encoder(spec)


def test_tiny_clip_has_no_other_checkpoint():
    with pytest.raises(ModelError, match="tiny-clip is embedded"):
        load_encoder("tiny-clip:big")


def test_remote_code_is_never_run(copy):
    path = copy("hf-vit")
    settings = json.loads((path / "config.json").read_text())
    settings |= {"model_type": "mine", "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    (path / "config.json").write_text(json.dumps(settings))
    (path / "evil.py").write_text(f"open({str(path / 'exploded')!r}, 'w')")
    with pytest.raises(ModelError, match="'mine', which transformers does not have"):
        load_encoder(f"hf:{path}")
    assert not (path / "exploded").exists()


def test_text_models_are_no_encoders(tmp_path):
    from transformers import BertConfig

    BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="bert model, which is no image encoder"):
        load_encoder(f"hf:{tmp_path}")
