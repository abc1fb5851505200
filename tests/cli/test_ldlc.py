"""`vitequiv ldlc` end to end."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE
from vitequiv.cli.ldlc import epsilon_note
from vitequiv.geometry.lipschitz import SweepRow
from vitequiv.images.save import save_tensors
from vitequiv.plots.ldlc import ldlc_png
from vitequiv.results.cost import Cost
from vitequiv.results.ldlc import Checks, LdlcResult, statistics
from vitequiv.results.status import Status

QUICK = ("--directions", "random", "--epsilon", 0.02, "--count", 5, "--measured", 2, "--quiet", "--format", "json")


@pytest.mark.draws
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
    for name, group in result["groups"].items():
        assert group["error_budget"]["rounding_floor"] > 0
        for part in ("measured", "derivative"):  # the singular vectors are no sample, and the match is a single one
            assert (group[part]["standard_error"] is None) == (name in {"singular", "match"})
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


@pytest.mark.parametrize(
    ("leave_out", "metadata", "fragments"),
    [
        ("pixels", {}, ["no match to read", "pixels"]),
        ("start", {}, ["no match to read", "start"]),
        (None, {"spec": "clip:other", "weights_sha256": "0" * 64}, ["found in clip:other", "not in tiny-clip"]),
        (None, {"weights_sha256": "0" * 64}, ["found in other weights of tiny-clip"]),
        (None, None, ["a model that it does not name", "not in tiny-clip"]),
    ],
)
def test_a_saved_match_that_is_not_one_of_this_model(run, tmp_path, leave_out, metadata, fragments):
    run("match", CAT, COFFEE, "--out", "saved")
    path = tmp_path / "saved/cat_to_coffee/matched.safetensors"
    tensors = {name: tensor for name, tensor in load_file(path).items() if name != leave_out}
    with safe_open(path, framework="pt") as file:
        own = file.metadata()
    save_tensors(path, tensors, None if metadata is None else {**own, **metadata})
    done = run("ldlc", CAT, "--target", path.parent, "--directions", "match", "--format", "json", "--quiet")
    assert done.code == 3
    (record,) = done.lines()
    for fragment in fragments:
        assert fragment in record["message"]
    assert record["message"].count(". ") == 0


@pytest.mark.draws
def test_a_figure_that_cannot_be_drawn_is_a_note_and_costs_no_result(run, tmp_path, monkeypatch):
    def draw(result, title):
        raise RuntimeError("no ink")

    monkeypatch.setattr("vitequiv.plots.ldlc.ldlc_png", draw)
    done = run("ldlc", CAT, *QUICK)
    (record,) = done.lines()
    assert (done.code, record["status"]) == (0, "converged")
    assert [note for note in record["notes"] if "no ink" in note]
    assert {path.name for path in (tmp_path / "vitequiv-out/cat").iterdir()} == {"ldlc.json", "ldlc.safetensors"}


@pytest.mark.draws
def test_a_model_whose_name_matplotlib_reads_as_mathematics(run, monkeypatch):
    def draw(result, title):
        return ldlc_png(result, title.replace("tiny-clip", "hf:models/$x^{$"))

    monkeypatch.setattr("vitequiv.plots.ldlc.ldlc_png", draw)
    done = run("ldlc", CAT, *QUICK)
    assert done.code == 0, done.out
    assert "notes" not in done.lines()[0]


def test_the_statistics_of_one_value():
    found = statistics(torch.tensor([2.0], dtype=torch.float64), 4.0, sampled=True)
    assert (found.mean, found.max, found.standard_error, found.ratio_to_sigma_1) == (2.0, 2.0, None, 0.5)


@pytest.mark.parametrize(
    ("floors", "says"),
    [
        ((0.02, 0.5), "on the plateau"),  # errors of 5 and 53 %
        ((0.09, 0.5), "no plateau was found: rounding and curvature disturb the constants by 12 %"),
    ],
)
def test_the_plateau_is_only_claimed_where_there_is_one(floors, says):
    rows = [SweepRow(epsilon=0.25, constant=1.0, floor=floor, curvature=0.03) for floor in floors]
    result = LdlcResult(
        status=Status.CONVERGED,
        message="",
        epsilon=0.25,
        chosen=True,
        points=3,
        sweep=tuple(rows),
        singular_values=torch.ones(1, dtype=torch.float64),
        groups={},
        checks=Checks(None, None, None, None, None, None),
        cost=Cost(0, 0, 0, 0.0, 0.0),
    )
    assert says in epsilon_note(result.to_dict())


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
    assert records["a"]["result"]["epsilon"] == {
        "value": 0.02,
        "chosen": False,
        "chosen_on_plateau": False,
        "points": 5,
    }
    assert list(records["a"]["result"]["groups"]) == ["random"]
    assert records["a"]["result"]["sweep"] == []


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
        ((CAT, "--dtype", "bfloat16", "--model", "nothing"), 2, ["choose float32 or float64"]),
    ],
)
def test_misuse(run, arguments, code, fragments):
    done = run("ldlc", *arguments)
    assert done.code == code
    for fragment in fragments:
        assert fragment in done.err


def test_fewer_directions_than_are_measured_by_default(run):
    done = run("ldlc", CAT, "--directions", "random", "--epsilon", 0.02, "--count", 3, "--along", 0, "--format", "json")
    (record,) = done.lines()
    assert record["result"]["groups"]["random"]["measured"]["count"] == 3
    assert record["settings"]["measured"] == {"value": 3, "source": "default"}


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
