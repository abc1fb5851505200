"""`vitequiv classify` end to end."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, folders
from tests.loaded import loaded
from vitequiv import classify
from vitequiv.tiny.scenes import Split, render, scene_rng

LABELS = "red circle,green star,blue cross"


@pytest.fixture
def scenes(tmp_path):
    """A folder with a scene of each of the three classes."""
    folder = tmp_path / "scenes"
    folder.mkdir()
    shapes, colours, backgrounds = np.array([0, 3, 4]), np.array([0, 3, 5]), np.array([0, 0, 0])
    images = render(shapes, colours, backgrounds, scene_rng(Split.HELD_OUT, 5)).images
    for name, image in zip(("circle", "star", "cross"), images, strict=True):
        Image.fromarray(image).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def examples(tmp_path):
    """A folder of two scenes a class."""
    for name, shape, colour in (("red_circle", 0, 0), ("green_star", 3, 3)):
        folder = tmp_path / "examples" / name
        folder.mkdir(parents=True)
        both = render(np.full(2, shape), np.full(2, colour), np.array([0, 1]), scene_rng(Split.HELD_OUT, shape))
        for i, image in enumerate(both.images):
            Image.fromarray(image).save(folder / f"{i}.png")
    return tmp_path / "examples"


def test_by_the_program(forked, scenes, tmp_path):
    done = forked("classify", scenes, "--labels", LABELS, "--template", "a photo of a {}", "--template", "the {}")
    assert done.code == 0, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "red circle" in lines["circle"]
    assert "green star" in lines["star"]
    folder = tmp_path / "vitequiv-out/tiny-clip"
    assert {path.name for path in folder.iterdir()} == {"matrix.png", "classify.safetensors", "classify.json"}
    record = json.loads((folder / "classify.json").read_text())
    assert record["schema"] == "vitequiv/classify/1"
    assert record["status"] == "converged"
    result = record["result"]
    assert result["classifier"]["templates"] == ["a photo of a {}", "the {}"]
    assert [image["best"][0]["label"] for image in result["images"]] == ["red circle", "blue cross", "green star"]
    assert [len(row) for row in result["probabilities"]] == [3, 3, 3]

    # The numbers are those of the function.
    encoder = loaded("tiny-clip")
    pixels = torch.stack([encoder.preprocess(Image.open(image["path"])) for image in result["images"]])
    expected = classify(encoder, pixels, labels=LABELS.split(","), templates=("a photo of a {}", "the {}"))
    tensors = load_file(folder / "classify.safetensors")
    assert torch.equal(tensors["probabilities"], expected.probabilities)
    assert torch.equal(tensors["embeddings"], expected.embeddings)
    with Image.open(folder / "matrix.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200


def test_matches_before_and_after_and_their_transfer(run, scenes, checkpoints, examples):
    run("match", scenes / "circle.png", scenes / "cross.png", scenes / "star.png", "--out", "saved")
    models = ("--model", "tiny-clip", "--model", checkpoints["vitmae"])
    done = run(
        "classify", "saved", scenes / "star.png", "--prototypes", examples, *models, "--format", "json", "--quiet"
    )
    assert done.code == 0, done.err
    own, other = done.lines()
    assert own["model"]["family"] == "tiny-clip"
    assert other["model"]["family"] == "vitmae"
    for record in (own, other):
        roles = [image["role"] for image in record["result"]["images"]]
        # The target of both matches is one row, and so is the plain image, which is the same file in another role.
        assert roles == ["image", "source", "target", "source", "matched", "matched"]
        assert record["inputs"][-1]["role"] == "prototype"
        assert {match["matched_in"] for match in record["result"]["matches"]} == {"tiny-clip"}
    circle = next(m for m in own["result"]["matches"] if m["name"] == "circle → star")
    assert circle["before"]["label"] == "red circle"
    assert circle["after"]["label"] == circle["target"]["label"] == "green star"
    assert circle["takes_target_class"]
    assert circle["flipped"]
    assert circle["cosine"]["after"] >= 0.99 > circle["cosine"]["before"]
    # In an encoder that it was not made for, the matched image is its source still.
    moved = next(m for m in other["result"]["matches"] if m["name"] == "circle → star")
    assert moved["cosine"]["after"] != pytest.approx(circle["cosine"]["after"], abs=1e-6)
    human = run("classify", "saved/circle_to_star", "--labels", LABELS, "--out", "human")
    (line,) = [line for line in human.out.splitlines() if "circle → star" in line]
    assert line.split()[-1] == "yes"


def test_a_match_from_noise_has_no_before(run, scenes):
    run("match", "--init", "noise", scenes / "star.png", "--out", "saved")
    (record,) = run("classify", "saved", "--labels", LABELS, "--format", "json", "--quiet").lines()
    (match,) = record["result"]["matches"]
    assert match["name"] == "noise → star"
    assert match["before"] is match["flipped"] is match["cosine"]["before"] is None
    assert match["after"]["label"] == "green star"


def test_the_head_is_the_default_where_there_is_one(run, scenes, checkpoints):
    (record,) = run("classify", scenes, "--model", checkpoints["swin"], "--format", "json", "--quiet").lines()
    assert record["result"]["classifier"]["kind"] == "head"
    assert record["result"]["classifier"]["labels"] == ["cat", "dog", "eel"]


def test_one_bad_image_does_not_stop_the_rest(run, scenes, tmp_path):
    (scenes / "broken.png").write_bytes(b"nothing")
    done = run("classify", scenes, "--labels", LABELS, "--format", "json", "--quiet")
    assert done.code == 3
    assert done.err == ""
    (record,) = done.lines()
    assert record["status"] == "failed"
    assert [failure["name"] for failure in record["result"]["failures"]] == ["broken"]
    assert len(record["result"]["images"]) == 3
    human = run("classify", scenes, "--labels", LABELS, "--overwrite")
    assert "broken: " in human.out


def test_a_model_that_cannot_be_had_does_not_stop_the_rest(run, scenes, tmp_path):
    models = ("--model", "nothing", "--model", "tiny-clip")
    done = run("classify", scenes, "--labels", LABELS, *models, "--format", "json", "--quiet")
    assert done.code == 4
    assert "nothing" in done.err
    (record,) = done.lines()
    assert record["status"] == "converged"
    assert folders(tmp_path / "vitequiv-out") == ["tiny-clip"]


def test_a_damaged_match_or_a_changed_source_is_named(run, scenes, tmp_path):
    run("match", scenes / "circle.png", scenes / "star.png", "--out", "saved")
    Image.open(CAT).convert("RGB").save(scenes / "circle.png")
    done = run("classify", "saved", "--labels", LABELS, "--format", "json", "--quiet")
    (record,) = done.lines()
    assert done.code == 3
    assert "another file than when it was matched" in record["message"]
    assert record["result"]["matches"] == []
    (tmp_path / "saved/circle_to_star/match.json").write_text("{}")
    (record,) = run("classify", "saved", "--labels", LABELS, "--format", "json", "--quiet", "--out", "o2").lines()
    assert record["result"] is None
    assert "match.json" in record["message"]
    assert not (tmp_path / "o2/tiny-clip").exists()


def test_a_model_in_a_configuration_file_stands_alone(run, scenes, tmp_path):
    (tmp_path / "v.toml").write_text('model = "tiny-clip"\n')
    done = run("classify", scenes, "--labels", LABELS, "--config", "v.toml", "--format", "json")
    (record,) = done.lines()
    assert record["settings"]["model"] == {"value": ["tiny-clip"], "source": "config"}
    assert "No --model given" not in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        ((), 2, ["IMAGE"]),
        ((CAT,), 2, ["--labels", "--prototypes", "--head"]),
        ((CAT, "--head"), 2, ["no classification head", "--prototypes"]),
        ((CAT, "--labels", "red star,red star"), 2, ["'red star'", "once"]),
        ((CAT, "--labels", "red star"), 2, ["at least two"]),
        ((CAT, "--labels", ","), 2, ["names no class"]),
        ((CAT, "--labels", "red star,cat"), 2, ["'cat'"]),
        ((CAT, "--labels-file", "empty.txt"), 2, ["empty.txt", "names no class"]),
        ((CAT, "--labels-file", "absent.txt"), 2, ["absent.txt"]),
        ((CAT, "--labels-file", CAT), 2, ["UTF-8"]),
        ((CAT, "--labels", "red star,ring", "--template", "a photo"), 2, ["'a photo'", "{}"]),
        ((CAT, "--template", "a {}"), 2, ["--labels"]),
        ((CAT, "--labels", "red star,ring", "--head"), 2, ["one classifier"]),
        ((CAT, "--labels", "red star,ring", "--temperature", "0"), 2, ["--temperature"]),
        ((CAT, "--head", "--temperature", "1"), 2, ["--temperature"]),
        ((CAT, "--prototypes", "absent"), 2, ["absent"]),
        ((CAT, "--prototypes", "one"), 2, ["only the class 'a'", "two or more"]),
        ((CAT, "--prototypes", "hollow"), 2, ["hollow/b", "no image"]),
        ((CAT, "--prototypes", "none"), 2, ["no class folder"]),
        ((CAT, "--prototypes", "broken"), 3, ["broken/b/x.png", "not an image"]),
        ((CAT, "--labels", "red star,ring", "--model", "absent"), 4, ["absent"]),
        ((CAT, "--labels", "red star,ring", "--model", "tiny-clip", "--model", "tiny-clip"), 2, ["twice"]),
        (("absent.png", "--labels", "red star,ring"), 3, ["absent.png"]),
    ],
)
def test_misuse(run, tmp_path, arguments, code, fragments):
    (tmp_path / "empty.txt").write_text("\n \n")
    for folder in ("one/a", "hollow/a", "hollow/b", "none", "broken/a", "broken/b"):
        (tmp_path / folder).mkdir(parents=True)
        if folder[-1] == "a":
            (tmp_path / folder / "x.png").write_bytes(CAT.read_bytes())
    (tmp_path / "broken/b/x.png").write_bytes(b"words")
    done = run("classify", *arguments)
    assert done.code == code, done.err
    for fragment in fragments:
        assert fragment in done.err + done.out
    assert not list(tmp_path.glob("vitequiv-out/*/"))


def test_labels_for_a_model_without_text(run, checkpoints):
    done = run("classify", CAT, "--labels", "cat,dog", "--model", checkpoints["beit"])
    assert done.code == 2
    assert "no text tower" in done.err
    assert "tiny-clip and clip" in done.err


@pytest.mark.parametrize("change", ["an example moves", "a class has another name"])
def test_other_classes_of_the_same_prototypes_are_seen_by_a_resumed_run(run, photos, tmp_path, change):
    for name, files in (("one", "ab"), ("two", "c"), ("three", "d")):
        (tmp_path / "protos" / name).mkdir(parents=True)
        for letter in files:
            (path,) = photos.glob(f"{letter}.*")
            shutil.copy(path, tmp_path / "protos" / name)
    command = ("classify", photos, "--prototypes", "protos", "--format", "json")
    assert run(*command).code == 0
    kept = run(*command, "--resume")
    assert (kept.code, kept.err.count("done again")) == (0, 0)
    if change == "an example moves":
        (tmp_path / "protos/one/b.jpg").rename(tmp_path / "protos/three/b.jpg")
    else:
        (tmp_path / "protos/two").rename(tmp_path / "protos/zwei")
    again = run(*command, "--resume")
    assert "an input has changed: done again" in again.err
    fresh = run(*command, "--out", "fresh")
    assert again.lines()[0]["result"] == fresh.lines()[0]["result"]
