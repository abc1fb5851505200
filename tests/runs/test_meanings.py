"""Settings that are spelled otherwise and mean the same, and those that mean something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitequiv.results.settings import Setting, Source
from vitequiv.runs.changes import differences
from vitequiv.runs.meanings import Made, as_before, meanings, same_model

CPU, CUDA = Made("cpu", "cls"), Made("cuda", "cls")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working directory with files, links to them, and a checkpoint's directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png", "start"):
        (tmp_path / "photos" / name).write_bytes(name.encode())
        (tmp_path / name).symlink_to(tmp_path / "photos" / name)
    (tmp_path / "linked").symlink_to(tmp_path / "photos")
    (tmp_path / "model").mkdir()
    (tmp_path / "model-link").symlink_to(tmp_path / "model")
    (tmp_path / "other-model").mkdir()
    return tmp_path


SAME = [
    ({"device": "auto"}, {"device": "cpu"}),
    ({"readout": None}, {"readout": "cls"}),
    ({"target": "photos/a.png"}, {"target": "{here}/photos/a.png"}),
    ({"target": "photos/a.png"}, {"target": "./photos/../linked/a.png"}),
    ({"compare": "a.png"}, {"compare": "photos/a.png"}),
    ({"prototypes": "photos"}, {"prototypes": "{here}/linked"}),
    ({"labels_file": "a.png"}, {"labels_file": "./a.png"}),
    ({"to": ["a.png", "-"]}, {"to": ["{here}/a.png", "-"]}),
    ({"to": ["photos/*.png"]}, {"to": ["{here}/linked/*.png"]}),
    ({"target_mean": ["photos"]}, {"target_mean": ["photos/"]}),
    ({"target_embedding": "a.png#x"}, {"target_embedding": "{here}/a.png#x"}),
    ({"match": "photos/a.png"}, {"match": "{here}/a.png"}),
    ({"model": "deit:./model"}, {"model": "deit:{here}/model"}),
    ({"model": "DeiT:model-link"}, {"model": "deit:model/"}),
    ({"model": "timm:local-dir:model"}, {"model": "timm:local-dir:{here}/model"}),
    ({"model": ["tiny-clip", "deit:model"]}, {"model": ["TINY-CLIP", "deit:./model"]}),
    ({"labels": "cat,dog"}, {"labels": " cat, dog"}),
    ({"directions": "random,null"}, {"directions": "random, null,random"}),
    ({"directions": "random", "target": "a.png"}, {"directions": "random,match", "target": "a.png"}),
    ({"steps": None, "path": "linear"}, {"steps": 21, "path": "linear"}),
    ({"steps": None, "path": "null"}, {"steps": 100, "path": "null"}),
    ({"step_size": None, "solver": "adam"}, {"step_size": 0.002, "solver": "adam"}),
    ({"sweep": False, "epsilon": None}, {"sweep": True, "epsilon": None}),
    ({"cosine": 1}, {"cosine": 1.0}),
]
OTHER = [
    ({"device": "auto"}, {"device": "cpu"}, CUDA, CPU),
    ({"device": "cpu"}, {"device": "cuda"}, CPU, CUDA),
    ({"readout": None}, {"readout": "mean"}, CPU, Made("cpu", "mean")),
    ({"readout": None}, {"readout": "cls"}, Made(), CPU),
    ({"target": "a.png"}, {"target": "b.png"}, CPU, CPU),
    ({"target": None}, {"target": "a.png"}, CPU, CPU),
    ({"to": ["a.png"]}, {"to": ["a.png", "b.png"]}, CPU, CPU),
    ({"to": ["-"]}, {"to": ["./-"]}, CPU, CPU),
    ({"match": "start"}, {"match": "./start"}, CPU, CPU),
    ({"target_embedding": "a.png#x"}, {"target_embedding": "a.png#y"}, CPU, CPU),
    ({"target_text": "a.png"}, {"target_text": "./a.png"}, CPU, CPU),
    ({"model": "deit:model"}, {"model": "deit:other-model"}, CPU, CPU),
    ({"model": "deit:model"}, {"model": "beit:model"}, CPU, CPU),
    ({"model": "deit:model"}, {"model": "deit:gone/model"}, CPU, CPU),
    ({"model": "deit:local-dir:model"}, {"model": "deit:model"}, CPU, CPU),
    ({"directions": "random,null"}, {"directions": "null,random"}, CPU, CPU),
    ({"steps": None, "path": "linear"}, {"steps": 100, "path": "linear"}, CPU, CPU),
    ({"step_size": None, "solver": "adam"}, {"step_size": 0.001, "solver": "adam"}, CPU, CPU),
    ({"sweep": False, "epsilon": 0.1}, {"sweep": True, "epsilon": 0.1}, CPU, CPU),
    ({"linf": 8 / 255}, {"linf": 0.0314}, CPU, CPU),
]


def changes(then: dict, now: dict, made: Made, makes: Made, here: Path) -> list[str]:
    def filled(value):
        if isinstance(value, list):
            return [filled(one) for one in value]
        return value.format(here=here) if isinstance(value, str) else value

    old = {name: Setting(filled(value), Source.FLAG) for name, value in then.items()}
    return differences(old, {name: Setting(filled(value), Source.FLAG) for name, value in now.items()}, made, makes)


@pytest.mark.parametrize(("then", "now"), SAME, ids=str)
def test_what_means_the_same_is_the_same_both_ways(here, then, now):
    assert changes(then, now, CPU, CPU, here) == []
    assert changes(now, then, CPU, CPU, here) == []


@pytest.mark.parametrize(("then", "now", "made", "makes"), OTHER, ids=str)
def test_what_means_something_else_is_told_as_it_was_spelled(here, then, now, made, makes):
    told = changes(then, now, made, makes, here)
    assert len(told) == 1
    assert told[0].partition(":")[0] in then
    assert changes(now, then, makes, made, here)


def test_a_default_checkpoint_given_by_name_is_the_default():
    assert same_model("beit", "beit:microsoft/beit-base-patch16-224") is (
        meanings({"model": "beit"}) == meanings({"model": "beit:microsoft/beit-base-patch16-224"})
    )
    from vitequiv.plugins.kinds import ENCODER
    from vitequiv.plugins.registry import find

    default = find(ENCODER, "beit").thing.default_checkpoint
    assert default
    assert same_model("beit", f"beit:{default}")
    assert not same_model("beit", "beit:another/checkpoint")


def test_models_are_spelled_as_the_run_before_spelled_them(here):
    before = ["tiny-clip", "deit:./model", "gone-plugin:x"]
    now = [f"deit:{here}/model-link", "Tiny-Clip", "gone-plugin:x", "deit:other-model"]
    assert as_before(now, before) == ["deit:./model", "tiny-clip", "gone-plugin:x", "deit:other-model"]
    assert as_before(now, None) == now
