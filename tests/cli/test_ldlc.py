"""`vitequiv ldlc` end to end."""

from __future__ import annotations

import json

import pytest
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE


def test_all_groups(run, tmp_path):
    done = run("ldlc", CAT, "--target", COFFEE, "--count", 500, "--measured", 20)
    assert done.code == 0, done.err
    assert "on the plateau" in done.err
    folder = tmp_path / "vitequiv-out/cat"
    assert {path.name for path in folder.iterdir()} == {"ldlc.png", "ldlc.safetensors", "ldlc.json"}
    record = json.loads((folder / "ldlc.json").read_text())
    assert record["schema"] == "vitequiv/ldlc/1"
    result = record["result"]
    assert set(result["groups"]) == {"singular", "random", "null", "match"}
    assert result["epsilon"]["chosen_on_plateau"]
    assert result["checks"]["singular"] < 0.1
    assert abs(result["checks"]["isotropic"] - 1) < 4 * result["checks"]["isotropic_error"]
    means = {name: group["measured"]["mean"] for name, group in result["groups"].items()}
    assert means["null"] < means["random"] < means["match"] < 1.1 * result["sigma_1"]
    for group in result["groups"].values():
        assert group["error_budget"]["rounding_floor"] > 0
    tensors = load_file(folder / "ldlc.safetensors")
    assert tensors["random.measured"].shape == (20,)
    assert tensors["random.derivatives"].shape == (500,)
    assert float(tensors["null.measured"].mean()) == pytest.approx(means["null"], rel=1e-9)


def test_the_direction_of_a_saved_match(run):
    run("match", CAT, COFFEE, "--out", "saved")
    quick = ("--directions", "match", "--epsilon", 0.02, "--format", "json", "--quiet")
    (record,) = run("ldlc", CAT, "--target", "saved/cat_to_coffee", *quick).lines()
    group = record["result"]["groups"]["match"]
    assert group["measured"]["count"] == 1
    assert group["measured"]["mean"] == pytest.approx(group["derivative"]["mean"], rel=0.05)
    assert [i["role"] for i in record["inputs"]] == ["image", "match"]
    (wrong,) = run("ldlc", COFFEE, "--target", "saved/cat_to_coffee", *quick).lines()
    assert "did not begin from" in wrong["message"]
    (empty,) = run("ldlc", CAT, "--target", "saved", *quick, "--out", "o2").lines()
    assert "no match to read" in empty["message"]


def test_a_given_epsilon_and_some_groups_over_a_folder(run, photos):
    (photos / "broken.png").write_bytes(b"nothing")
    arguments = (
        "--directions",
        "random",
        "--epsilon",
        0.02,
        "--count",
        50,
        "--measured",
        4,
        "--format",
        "json",
        "--quiet",
    )
    done = run("ldlc", photos, *arguments)
    assert done.code == 3
    assert done.err == ""
    records = {record["item"]: record for record in done.lines()}
    assert set(records) == {"a", "b", "c", "d", "broken"}
    assert records["broken"]["status"] == "failed"
    assert records["a"]["result"]["epsilon"] == {"value": 0.02, "chosen_on_plateau": False, "points": 5}
    assert list(records["a"]["result"]["groups"]) == ["random"]
    assert records["a"]["result"]["sweep"] == []


def test_the_same_bytes_twice(run, tmp_path):
    records = []
    for out in ("one", "two"):
        run("ldlc", CAT, "--count", 50, "--measured", 4, "--directions", "random,null", "--out", out)
        records.append(json.loads((tmp_path / out / "cat/ldlc.json").read_text()))
        records[-1]["cost"]["seconds"] = 0
    assert records[0] == records[1]


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        ((), 2, ["IMAGE"]),
        ((CAT, "--directions", "sideways"), 2, ["sideways", "singular"]),
        ((CAT, "--directions", ","), 2, ["--directions"]),
        ((CAT, "--directions", "match"), 2, ["--target"]),
        ((CAT, "--count", "5", "--measured", "6"), 2, ["--measured"]),
        ((CAT, "--epsilon", "0"), 2, ["--epsilon"]),
        ((CAT, "--epsilon", "nan"), 2, ["--epsilon"]),
        ((CAT, "--points", "4"), 2, ["--points"]),
    ],
)
def test_misuse(run, arguments, code, fragments):
    done = run("ldlc", *arguments)
    assert done.code == code
    for fragment in fragments:
        assert fragment in done.err


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--epsilon", "1e-9"), "lost in the rounding"),
        (("--target", "absent.png"), "absent.png"),
        (("--target", CAT), "no direction of a match"),
    ],
)
def test_what_cannot_be_measured_fails_by_name_and_writes_nothing(run, tmp_path, arguments, fragment):
    done = run("ldlc", CAT, *arguments, "--format", "json", "--quiet")
    assert done.code == 3
    (record,) = done.lines()
    assert fragment in record["message"]
    assert not (tmp_path / "vitequiv-out/cat").exists()
