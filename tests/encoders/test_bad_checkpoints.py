"""Checkpoints that cannot be used: one sentence each, and nothing random in their place."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vitequiv.encoders.load import load_encoder
from vitequiv.errors import ExitCode, ModelError, UsageError, VitequivError


def weights(directory: Path) -> Path:
    (path,) = directory.glob("*.safetensors")
    return path


def truncate(directory: Path) -> None:
    path = weights(directory)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(directory: Path) -> None:
    weights(directory).write_bytes(b"\xff" * 4096)


def empty(directory: Path) -> None:
    weights(directory).write_bytes(b"")


def web_page(directory: Path) -> None:
    weights(directory).write_text("\n<!DOCTYPE html><html><body>404: Not Found</body></html>")


def lfs_pointer(directory: Path) -> None:
    weights(directory).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n")


def no_weights(directory: Path) -> None:
    weights(directory).unlink()


class Bomb:
    """A pickle that would write a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.target,)


BIN = {"clip": "open_clip_pytorch_model.bin"}


def bomb(directory: Path) -> None:
    path = weights(directory)
    state = {**load_file(path), "bomb": Bomb(directory / "exploded")}
    path.unlink()
    torch.save(state, directory / BIN.get(directory.name, "pytorch_model.bin"))


def plain_pickle(directory: Path) -> None:
    weights(directory).unlink()
    with (directory / BIN.get(directory.name, "pytorch_model.bin")).open("wb") as file:
        pickle.dump(Bomb(directory / "exploded"), file)


def no_torch_file(directory: Path) -> None:
    weights(directory).unlink()
    (directory / BIN.get(directory.name, "pytorch_model.bin")).write_bytes(b"PK\x03\x04 nothing here")


def lose_a_tensor(directory: Path) -> None:
    path = weights(directory)
    state = load_file(path)
    inner = [name for name in state if "decoder" not in name and ("layer" in name or "block" in name)]
    del state[min(name for name in inner if name.endswith("weight"))]
    save_file(state, path, metadata={"format": "pt"})


def nan_weights(directory: Path) -> None:
    path = weights(directory)
    state = {k: torch.full_like(v, torch.nan) if v.is_floating_point() else v for k, v in load_file(path).items()}
    save_file(state, path, metadata={"format": "pt"})


def bad_json(directory: Path) -> None:
    (config(directory)).write_text('{"model_type": ')


def config(directory: Path) -> Path:
    path = directory / "open_clip_config.json"
    return path if path.exists() else directory / "config.json"


def no_config(directory: Path) -> None:
    config(directory).unlink()


FAULTS = [
    (truncate, "is damaged"),
    (garble, "is damaged"),
    (empty, "is damaged"),
    (web_page, "is a web page, not weights"),
    (lfs_pointer, "is a git-lfs pointer"),
    (no_weights, "has no weights"),
    (bomb, "holds Python objects beside tensors"),
    (plain_pickle, "no file of torch.save .not a pickle of tensors"),
    (no_torch_file, "is damaged or no file of torch.save"),
    (lose_a_tensor, r"lacks 1 weights|Missing key"),
    (nan_weights, "check of finite embedding"),
    (bad_json, "cannot be read"),
    (no_config, "config.json"),
]


@pytest.fixture
def copy(directory, tmp_path):
    """A copy of a variant's directory, to be spoilt."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(directory(name), tmp_path / name))

    return copy


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
    index = {"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}
    (path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelError, match="lacks 2 of its 2 weight files, among them model-1-of-2.safetensors"):
        load_encoder(f"beit:{path}")


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


POOLERS = [
    ("beit-mim", "beit", None, ModelError, "no trained pooler .* --readout mean or cls"),
    ("hf-vit", "hf", "pooler", UsageError, "no readout pooler: choose from cls, mean"),
    ("hf-vit", "hf", "projection", UsageError, "no readout projection"),
    ("hf-resnet", "hf", "cls", UsageError, "no readout cls: choose from pooler, mean"),
    ("deit", "hf", "pooler", UsageError, "no readout pooler: choose from cls, mean"),
    ("deit", "deit", "pooler", UsageError, "no readout 'pooler'"),
    ("hf-siglip", "hf", "cls", UsageError, "no readout cls"),
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
