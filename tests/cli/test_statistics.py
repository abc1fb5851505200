"""`vitequiv scenes` and `vitequiv statistics` end to end."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT
from tests.cli.processes import finish, start
from tests.loaded import loaded
from tests.resumed import contents, listed, timeless
from vitequiv import match
from vitequiv.images.lattice import quantise

JSON = ("--format", "json", "--quiet")


@pytest.fixture(scope="session")
def scenes(tmp_path_factory):
    """Three scenes of each class, in folders of their class."""
    from vitequiv.tiny.render import write_scenes

    folder = tmp_path_factory.mktemp("scenes")
    write_scenes(folder, 192, 3)
    return folder


def test_scenes_are_spread_over_the_classes_and_the_same_each_time(run, tmp_path):
    done = run("scenes", "one", "--count", 70, "--seed", 9)
    assert done.code == 0
    assert "70 scenes of 64 classes" in done.err
    run("scenes", "two", "--count", 64, "--seed", 9, "--quiet")
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.png")}
        for name in ("one", "two")
    )
    assert len(one) == 70
    assert Counter(Counter(path.parent for path in two).values()) == {1: 64}
    assert two.items() <= one.items()
    with Image.open(next(tmp_path.rglob("*.png"))) as image:
        assert image.size == (64, 64)
    again = run("scenes", "one")
    assert again.code == 2
    assert "not empty" in again.err


@pytest.mark.draws
def test_pairs_of_two_models(run, scenes, checkpoints, tmp_path):
    models = ("--model", "tiny-clip", "--model", checkpoints["swin"])
    done = run("statistics", scenes, "--count", 4, "--seed", 5, "--cosine", 0.9, "--different-class", *models, *JSON)
    assert done.code == 0, done.err
    records = done.lines()
    assert [record["model"]["family"] for record in records] == ["tiny-clip", "swin"]
    assert [record["result"]["classifier"]["kind"] for record in records] == ["prototypes", "head"]
    draws = [[(p["source"]["path"], p["target"]["path"]) for p in record["result"]["pairs"]] for record in records]
    assert draws[0] == draws[1]

    folder = tmp_path / "vitequiv-out/tiny-clip"
    assert {path.name for path in folder.iterdir()} == {
        "statistics.png", "statistics.safetensors", "statistics.json", "pairs.csv"
    }  # fmt: skip
    result = records[0]["result"]
    pairs = result["pairs"]
    assert len(pairs) == 4
    assert all(pair["source"]["folder"] != pair["target"]["folder"] for pair in pairs)
    assert result["rates"]["converged"]["successes"] == 4
    assert result["rates"]["flipped"]["successes"] >= 3  # at cosine 0.9 not yet every one
    # No drawn image is a prototype: of 3 a class, those drawn are missing.
    drawn = {i["path"] for i in records[0]["inputs"] if i["role"] == "image"}
    examples = {i["path"] for i in records[0]["inputs"] if i["role"] == "prototype"}
    assert len(drawn) == result["draw"]["images"]
    assert not drawn & examples
    assert len(drawn | examples) == 192

    # A pair again, by the functions.
    encoder = loaded("tiny-clip")
    source, target = (encoder.preprocess(Image.open(pairs[2][side]["path"])) for side in ("source", "target"))
    (again,) = match(encoder, source, target, cosine=0.9)
    both = encoder.embed(torch.stack([quantise(again.pixels), target]))
    expected = torch.nn.functional.cosine_similarity(both[:1], both[1:]).item()
    # The batch sums in another order, and the steps after that differ in their last bits.
    assert pairs[2]["cosine"]["after"] == pytest.approx(expected, abs=1e-3)
    assert pairs[2]["perturbation"]["l2"] == pytest.approx(again.perturbation.l2, rel=1e-2)

    tensors = load_file(folder / "statistics.safetensors")
    m = result["draw"]["images"]
    assert tensors["embeddings"].shape == (m, 128)
    assert tensors["null"].shape == (m * (m - 1) // 2,)
    units = torch.nn.functional.normalize(tensors["embeddings"].double(), dim=1).numpy()
    np.testing.assert_allclose(
        np.sort(tensors["null"].numpy()), np.sort((units @ units.T)[np.triu_indices(m, 1)]), atol=1e-6
    )
    first, second = tensors["pairs"][2]
    assert units[first] @ units[second] == pytest.approx(pairs[2]["cosine"]["before"], abs=1e-6)

    # The pairs can be matched for real.
    done = run("match", "--pairs", folder / "pairs.csv", "--cosine", 0.5, "--out", "matched", *JSON)
    assert [line["item"] for line in done.lines()] == [f"pair{i:04}" for i in range(4)]


def test_by_the_program_with_labels(forked, scenes, tmp_path):
    names = sorted(folder.name.replace("_", " ") for folder in scenes.iterdir())
    (tmp_path / "labels.txt").write_text("\n".join(names))
    done = forked("statistics", scenes, "--count", 2, "--cosine", 0.95, "--labels-file", "labels.txt")
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith("tiny-clip")]
    assert "zero-shot" in line
    assert "2/2 [0.34 1.00]" in line


def test_without_classes_there_are_no_class_rates(run, photos):
    (record,) = run("statistics", photos, "--count", 3, "--cosine", 0.6, *JSON).lines()
    assert record["status"] == "converged"
    assert record["result"]["classifier"] is None
    assert record["result"]["rates"]["flipped"]["rate"] is None
    assert record["result"]["pairs"][0]["class"]["after"] is None
    assert record["result"]["cosine"]["after"]["min"] >= 0.6


def test_a_class_without_examples_left_costs_the_classes_not_the_cosines(run, tmp_path):
    assert run("scenes", "few", "--count", 64, "--quiet").code == 0  # one image a class: any drawn one is the last
    (record,) = run("statistics", "few", "--count", 2, "--max-passes", 4, *JSON).lines()
    assert record["status"] == "converged"
    assert record["message"] == "All 2 pairs were measured; 0 of them reached the goal."
    assert record["result"]["classifier"] is None
    assert record["result"]["cosine"]["after"]["count"] == 2


def test_scenes_into_a_file_are_refused(run, tmp_path):
    (tmp_path / "taken").write_bytes(b"")
    done = run("scenes", "taken")
    assert done.code == 2
    assert "is a file: name a folder" in done.err


def test_a_bad_image_costs_its_pairs_alone_and_is_not_drawn_again(run, photos):
    (photos / "broken.png").write_bytes(b"nothing")
    done = run("statistics", photos, "--count", 20, "--cosine", 0.6, *JSON)
    assert done.code == 3
    (record,) = done.lines()
    assert record["status"] == "failed"
    assert record["message"].startswith("8 of 20 pairs could not be measured; ")
    result = record["result"]
    failed = [pair for pair in result["pairs"] if pair["status"] == "failed"]
    assert len(failed) == 8
    assert all("broken.png" in pair["source"]["path"] + pair["target"]["path"] for pair in failed)
    assert result["rates"]["converged"]["trials"] == 20
    assert result["cosine"]["after"]["count"] == 12


def test_pairs_that_do_not_converge_are_counted(run, photos):
    (record,) = run("statistics", photos, "--count", 4, "--max-passes", 4, *JSON).lines()
    assert record["result"]["rates"]["converged"] == {
        "successes": 0, "trials": 4, "rate": 0.0, "low": 0.0, "high": pytest.approx(0.4899, abs=1e-4)
    }  # fmt: skip
    assert record["result"]["passes"]["max"] <= 4
    assert record["status"] == "converged"  # all were measured


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        ((), 2, ["FOLDER"]),
        ((CAT,), 2, ["no folder"]),
        (("photos", "--count", "13"), 2, ["12 pairs of 4 images"]),
        (("photos", "--different-class"), 2, ["--different-class"]),
        (("photos", "--cosine", "2"), 2, ["--cosine"]),
        (("photos", "--step-size", "0"), 2, ["--step-size"]),
        (("photos", "--count", "2", "--head"), 2, ["no classification head"]),
        (("photos", "--count", "2", "--labels", "cat,dog"), 2, ["'cat'"]),
        (("photos", "--count", "2", "--labels", "red,red"), 2, ["'red'"]),
        (("photos", "--count", "2", "--model", "nothing"), 4, ["nothing"]),
        (("classes", "--count", "2", "--prototypes", "classes"), 2, ["All images of the class", "--count"]),
    ],
)
def test_misuse(run, photos, tmp_path, arguments, code, fragments):
    for name in "ab":
        (tmp_path / "classes" / name).mkdir(parents=True)
        (tmp_path / "classes" / name / "x.png").write_bytes(
            (photos / f"{name}.{'png' if name == 'a' else 'jpg'}").read_bytes()
        )
    done = run("statistics", *arguments)
    assert done.code == code, done.err
    for fragment in fragments:
        assert fragment in done.err
    assert not list(tmp_path.glob("vitequiv-out/*/"))


@pytest.mark.slow
def test_killed_among_its_pairs_and_resumed_it_equals_an_undisturbed_run(scenes, tmp_path):
    """Each attempt but the last is killed after one or two more batches of pairs."""
    command = ("statistics", scenes, "--count", 24, "--batch-size", 3, "--cosine", 0.95, "--model", "tiny-clip",
               "--model", "tiny-beit", *JSON)  # fmt: skip
    whole = start(tmp_path, *command, "--out", "whole")
    printed, _ = finish(whole)
    out, chance, kills = tmp_path / "killed", random.Random(0), 0

    def kept() -> int:
        return sum(1 for _ in out.glob("statistics.parts/*/[0-9]*"))

    while kept() < 14:
        wanted, process = kept() + chance.randint(1, 2), start(tmp_path, *command, "--out", out, "--resume")
        while process.poll() is None and kept() < wanted:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.2))
        process.kill()
        finish(process)
        kills += 1
    assert kills >= 5
    last = start(tmp_path, *command, "--out", out, "--resume")
    resumed, _ = finish(last)
    assert last.returncode == whole.returncode == 0
    assert [timeless(json.loads(line)) for line in resumed.splitlines()] == [
        timeless(json.loads(line)) for line in printed.splitlines()
    ]
    assert contents(out, "statistics") == contents(tmp_path / "whole", "statistics")
    assert not (out / "statistics.parts").exists()
    assert listed(out) == listed(tmp_path / "whole")


@pytest.mark.parametrize("change", ["image", "labels", "prototypes"])
def test_what_changes_between_an_interrupt_and_its_resumption_is_seen(run, tmp_path, monkeypatch, change):
    """One more image to draw from, another file of labels, or other prototypes: nothing of before is mixed in."""
    from vitequiv.runs import statistics as module
    from vitequiv.runs.interrupt import Interrupted

    scenes = tmp_path / "all"
    run("scenes", scenes, "--count", 64, "--seed", 3, "--quiet")
    images = sorted(scenes.rglob("*.png"))
    for name, files in (("flat", images[:5]), ("protos/ring", images[5:7]), ("protos/star", images[7:9])):
        (tmp_path / name).mkdir(parents=True)
        for path in files:
            shutil.copy(path, tmp_path / name / f"{path.parent.name}.png")
    (tmp_path / "labels.txt").write_text("red star\nblue ring\n")
    classifier = ("--prototypes", "protos") if change == "prototypes" else ("--labels-file", "labels.txt")
    command = ("statistics", "flat", "--count", 9, "--batch-size", 2, "--cosine", 0.6, *classifier, *JSON)

    real, batches = module.match_batch, []

    def interrupted(*arguments):
        batches.append(arguments)
        if len(batches) == 4:
            raise Interrupted
        return real(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "match_batch", interrupted)
        assert run(*command).code == 130
    assert len(list((tmp_path / "vitequiv-out").rglob("00*.safetensors"))) == 3
    if change == "image":
        shutil.copy(images[9], tmp_path / "flat/another.png")
    elif change == "labels":
        (tmp_path / "labels.txt").write_text("yellow cross\npink square\n")
    else:
        (tmp_path / "protos/ring").rename(tmp_path / "protos/other")
        (tmp_path / "protos/star").rename(tmp_path / "protos/ring")
        (tmp_path / "protos/other").rename(tmp_path / "protos/star")
    resumed = run(*command, "--resume")
    assert resumed.code == 0, resumed.err
    assert run(*command, "--out", "fresh").code == 0
    assert contents(tmp_path / "vitequiv-out", "statistics") == contents(tmp_path / "fresh", "statistics")
    if change == "labels":  # and a whole item is done again
        (tmp_path / "labels.txt").write_text("red star\nblue ring\n")
        again = run(*command[:-1], "--resume")
        assert "an input has changed: done again" in again.err
        assert again.lines()[0]["result"]["classifier"]["labels"] == ["red star", "blue ring"]
        assert [i["path"] for i in again.lines()[0]["inputs"] if i["role"] == "labels"] == ["labels.txt"]
