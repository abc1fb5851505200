"""`vitequiv interpolate` end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE, folders
from vitequiv.tiny.scenes import Split, sample, scene_rng

FILES = {"curve.png", "strip.png", "path.gif", "interpolate.safetensors", "interpolate.json"}
SUMMARY = {
    "linear": {"embedding_length", "chord", "detour", "off_chord", "top_speed", "top_slope", "resolved"},
    "matched": {"reference", "reached", "lowest_cosine", "largest_between", "correction", "covered", "nearer", "l2"},
    "null": {
        "l2", "length", "final_drift", "largest_drift", "largest_between", "accepted", "rejected", "covered", "nearer",
        "yardstick", "times_random", "times_straight",
    },
}  # fmt: skip


@pytest.fixture
def scenes(tmp_path) -> list[Path]:
    paths = [tmp_path / f"scene{i}.png" for i in range(4)]
    for path, image in zip(paths, sample(4, scene_rng(Split.HELD_OUT, 5)).images, strict=True):
        Image.fromarray(image).save(path)
    return paths


@pytest.mark.draws
@pytest.mark.parametrize("path", list(SUMMARY))
def test_every_path_writes_its_folder(run, tmp_path, path):
    done = run("interpolate", CAT, COFFEE, "--path", path, "--steps", 4)
    assert done.code == 0, done.out + done.err
    folder = tmp_path / "vitequiv-out/cat_to_coffee"
    assert {file.name for file in folder.iterdir()} == FILES
    record = json.loads((folder / "interpolate.json").read_text())
    assert record["schema"] == "vitequiv/interpolate/1"
    assert record["status"] == "converged"
    assert [i["role"] for i in record["inputs"]] == ["start", "end"]
    result = record["result"]
    assert set(result) == {"path", "summary", "points"}
    assert (result["path"], set(result["summary"])) == (path, SUMMARY[path])
    assert len(result["points"]) == 4
    tensors = load_file(folder / "interpolate.safetensors")
    assert {name: tuple(value.shape) for name, value in tensors.items()} == {
        "t": (4,),
        "pixels": (4, 3, 64, 64),
        "embeddings": (4, 128),
        "reference": (128,),
    }
    assert tensors["t"].tolist() == pytest.approx([point["t"] for point in result["points"]])
    with Image.open(folder / "path.gif") as animation:
        assert (animation.n_frames, animation.info["loop"]) == (4, 0)


def test_the_program_crosses_to_another_class_with_one_embedding(forked, scenes):
    done = forked("interpolate", scenes[2], scenes[3], "--path", "matched", "--format", "json", "--quiet")
    assert done.code == 0, done.err
    assert done.err == ""
    (record,) = done.lines()
    points = record["result"]["points"]
    assert len(points) == 21
    assert min(point["cosine"] for point in points) >= 0.99
    assert points[-1]["covered"] >= 0.9
    assert record["cost"]["passes"] >= points[-1]["passes"]


def test_a_walk_without_an_end(run, tmp_path):
    done = run("interpolate", CAT, "--path", "null", "--steps", 3, "--format", "json", "--quiet")
    assert done.code == 0, done.err
    (record,) = done.lines()
    assert record["item"] == "cat_null"
    assert record["result"]["summary"]["covered"] is None
    assert record["result"]["points"][-1]["relative_residual"] <= 0.01
    assert (tmp_path / "vitequiv-out/cat_null/path.gif").exists()


def test_many_pairs_and_one_that_fails(run, tmp_path, scenes):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    rows = "scene0.png,scene1.png,\nscene0.png,broken.png,bad\nscene1.png,scene1.png,same\nscene2.png,scene1.png,\n"
    (tmp_path / "pairs.csv").write_text("source,target,name\n" + rows)
    done = run("interpolate", "--pairs", "pairs.csv", "--steps", 2, "--format", "json", "--quiet")
    assert done.code == 3
    records = done.lines()
    assert [r["item"] for r in records] == ["scene0_to_scene1", "bad", "same", "scene2_to_scene1"]
    assert [r["status"] for r in records] == ["converged", "failed", "failed", "converged"]
    assert "broken.png" in records[1]["message"]
    assert "same image" in records[2]["message"]
    assert folders(tmp_path / "vitequiv-out") == ["scene0_to_scene1", "scene2_to_scene1"]


def test_the_embedding_of_a_third_image(run, scenes):
    done = run(
        "interpolate", scenes[0], scenes[1], "--path", "matched", "--match", scenes[2], "--cosine", 0.9, "--steps", 2,
        "--format", "json", "--quiet",
    )  # fmt: skip
    assert done.code == 0, done.err
    (record,) = done.lines()
    assert [i["role"] for i in record["inputs"]] == ["start", "end", "match"]
    assert record["result"]["summary"]["reference"] == "image"
    assert min(point["cosine"] for point in record["result"]["points"]) >= 0.9


@pytest.mark.parametrize(("path", "passes"), [("matched", 1), ("null", 60)])
def test_a_path_that_is_cut_short_says_how_far_it_got(run, tmp_path, scenes, path, passes):
    match = ("--match", "end") if path == "matched" else ()
    done = run("interpolate", scenes[0], scenes[1], "--path", path, "--max-passes", passes, *match)
    assert done.code == 3
    assert "budget_exhausted" in done.out
    folder = tmp_path / "vitequiv-out/scene0_to_scene1"
    assert {file.name for file in folder.iterdir()} == FILES
    record = json.loads((folder / "interpolate.json").read_text())
    assert record["message"] in " ".join(done.out.split())
    assert record["result"]["points"][-1]["passes"] <= passes


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        ((), ["START"]),
        ((CAT,), ["START and END", "got 1"]),
        ((CAT, COFFEE, CAT), ["got 3"]),
        ((CAT, ""), ["empty"]),
        ((CAT, "."), ["folder", "--pairs"]),
        ((CAT, COFFEE, "--pairs", "p.csv"), ["--pairs"]),
        (("--pairs", "absent.csv"), ["absent.csv"]),
        ((CAT, COFFEE, "--path", "curvy"), ["curvy"]),
        ((CAT, COFFEE, "--steps", "1"), ["--steps"]),
        ((CAT, COFFEE, "--steps", "-3"), ["--steps"]),
        ((CAT, COFFEE, "--path", "null", "--tolerance", "0"), ["--tolerance"]),
        ((CAT, COFFEE, "--path", "null", "--tolerance", "1"), ["--tolerance"]),
        ((CAT, COFFEE, "--path", "null", "--tolerance", "nan"), ["--tolerance"]),
        ((CAT, COFFEE, "--path", "matched", "--match", "absent.png"), ["absent.png", "start", "end"]),
        ((CAT, COFFEE, "--path", "matched", "--cosine", "1.5"), ["--cosine"]),
        ((CAT, COFFEE, "--path", "matched", "--step-size", "0"), ["--step-size"]),
        ((CAT, COFFEE, "--path", "matched", "--max-passes", "0"), ["--max-passes"]),
        ((CAT, COFFEE, "--match", "end"), ["--match", "--path matched"]),
        ((CAT, COFFEE, "--path", "matched", "--tolerance", "0.1"), ["--tolerance", "--path null"]),
        ((CAT, COFFEE, "--max-passes", "10"), ["--path matched, null or a plugin's"]),
    ],
)
def test_misuse(run, tmp_path, arguments, fragments):
    done = run("interpolate", *arguments)
    assert done.code == 2
    for fragment in fragments:
        assert fragment in done.err
    assert not (tmp_path / "vitequiv-out").exists()


@pytest.mark.parametrize("path", list(SUMMARY))
def test_start_and_end_of_one_image_and_files_that_are_none(run, tmp_path, path):
    (tmp_path / "copy.png").write_bytes(CAT.read_bytes())
    for end, fragment in (("copy.png", "same image"), ("absent.png", "absent.png")):
        done = run("interpolate", CAT, end, "--path", path, "--format", "json", "--quiet")
        assert done.code == 3
        (record,) = done.lines()
        assert fragment in record["message"]
        assert "\n" not in record["message"]
    assert folders(tmp_path / "vitequiv-out") == []
