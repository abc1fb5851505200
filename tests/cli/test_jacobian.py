"""`vitequiv jacobian` end to end."""

from __future__ import annotations

import json
import weakref

import pytest
import torch
from matplotlib.legend import Legend
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE
from tests.loaded import loaded
from vitequiv.geometry.operator import Jacobian
from vitequiv.plots.jacobian import vector_png
from vitequiv.runs import jacobian as runs


@pytest.mark.draws
def test_full(run, tmp_path):
    done = run("jacobian", CAT, "--compare", COFFEE, "--vectors", 3, "--dtype", "float64")
    assert done.code == 0, done.err
    assert "128 backward passes" in done.err
    folder = tmp_path / "vitequiv-out/cat"
    assert {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()} == {
        "spectrum.png", "jacobian.safetensors", "jacobian.json", *(f"vectors/00{i}.png" for i in (1, 2, 3)),
    }  # fmt: skip
    record = json.loads((folder / "jacobian.json").read_text())
    assert record["schema"] == "vitequiv/jacobian/1"
    assert [i["role"] for i in record["inputs"]] == ["image", "compare"]
    result = record["result"]
    assert result["shape"] == [128, 12288]
    assert len(result["singular_values"]) == 128
    assert set(result["summary"]) == {
        "frobenius_norm", "stable_rank", "effective_rank", "spectral_entropy", "condition_number",
    }  # fmt: skip
    angles = result["comparison"]["principal_angles"]
    assert angles == sorted(angles)
    assert result["comparison"]["grassmann_distance"] == pytest.approx(sum(a * a for a in angles) ** 0.5)

    # What is saved, against products made here.
    tensors = load_file(folder / "jacobian.safetensors")
    encoder = loaded("tiny-clip", dtype=torch.float64)
    jacobian = Jacobian(encoder.embed, encoder.preprocess(Image.open(CAT)))
    image = jacobian @ tensors["right"][0].double()
    # The vectors are saved in float32.
    torch.testing.assert_close(
        image, tensors["singular_values"][0] * tensors["left"][:, 0].double(), rtol=1e-4, atol=1e-4
    )


def test_a_tolerance_below_rounding_is_said_to_be_that(run):
    done = run("jacobian", CAT, "--method", "topk", "--k", 2, "--tolerance", 1e-12, "--format", "json", "--quiet")
    assert done.code == 3
    (record,) = done.lines()
    assert record["status"] == "stalled"
    assert "float64" in record["message"]
    assert all(residual < 1e-4 for residual in record["result"]["residuals"].values()), "what was reached is kept"


def test_topk_over_a_folder_as_json(run, photos, tmp_path):
    (photos / "broken.png").write_bytes(b"nothing")
    done = run("jacobian", photos, "--method", "topk", "--k", 4, "--format", "json", "--quiet")
    assert done.code == 3
    assert done.err == ""
    records = {record["item"]: record for record in done.lines()}
    assert set(records) == {"a", "b", "c", "d", "broken"}
    assert records["broken"]["status"] == "failed"
    assert not (tmp_path / "vitequiv-out/broken").exists()
    for name in "abcd":
        assert records[name]["status"] == "converged"
        assert len(records[name]["result"]["singular_values"]) == 4
        assert max(records[name]["result"]["residuals"].values()) <= 1e-3
        assert records[name]["cost"]["passes"] < 128, "topk must cost less than all rows"


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        ((), 2, ["IMAGE"]),
        ((CAT, "--k", "3"), 2, ["--method topk"]),
        ((CAT, "--method", "topk", "--k", "129"), 2, ["128"]),
        ((CAT, "--method", "topk", "--k", "0"), 2, ["--k"]),
        ((CAT, "--method", "svd"), 2, ["--method"]),
        ((CAT, "--method", "topk", "--tolerance", "0"), 2, ["--tolerance must be"]),
        ((CAT, "--tolerance", "1e-3"), 2, ["--tolerance goes with --method topk"]),
        ((CAT, "--dtype", "bfloat16", "--model", "nothing"), 2, ["choose float32 or float64"]),
        ((CAT, "--model", "nothing"), 4, ["nothing"]),
    ],
)
def test_misuse(run, arguments, code, fragments):
    done = run("jacobian", *arguments)
    assert done.code == code
    for fragment in fragments:
        assert fragment in done.err


TOPK = ("--method", "topk", "--k", 2, "--quiet", "--format", "json")


@pytest.fixture
def decomposed(monkeypatch):
    """Every Jacobian taken, as a weak reference with how many of the earlier ones were alive when it was begun."""
    taken = []

    def decompose(encoder, pixels, *arguments, **options):
        alive = sum(result() is not None for result, _ in taken)
        found = original(encoder, pixels, *arguments, **options)
        taken.append((weakref.ref(found[0]), alive))
        return found

    original = runs.jacobian
    monkeypatch.setattr(runs, "jacobian", decompose)
    return taken


def test_an_image_to_compare_with_that_cannot_be_read_fails_each_item_at_once(run, photos, decomposed):
    done = run("jacobian", photos, "--compare", "absent.png", *TOPK)
    assert done.code == 3
    records = done.lines()
    assert len(records) == 4
    assert len({record["message"] for record in records}) == 1
    for record in records:
        assert "absent.png" in record["message"]
        assert [i["role"] for i in record["inputs"]] == ["image", "compare"]
    assert decomposed == []


@pytest.mark.parametrize("compare", [(), ("--compare", COFFEE)])
def test_the_comparison_is_made_once_and_no_item_outlives_its_turn(run, photos, decomposed, compare):
    done = run("jacobian", photos, *TOPK, *compare)
    assert done.code == 0, done.out
    assert [alive for _, alive in decomposed] == ([0, 1, 1, 1, 1] if compare else [0, 0, 0, 0])


@pytest.mark.draws
def test_a_figure_that_cannot_be_drawn_is_a_note_and_costs_no_result(run, tmp_path, monkeypatch):
    def draw(image, name):
        if "vector 2" in name:
            raise RuntimeError("no ink")
        return vector_png(image, name)

    monkeypatch.setattr("vitequiv.plots.jacobian.vector_png", draw)
    done = run("jacobian", CAT, *TOPK)
    (record,) = done.lines()
    assert (done.code, record["status"]) == (0, "converged")
    assert [note for note in record["notes"] if "no ink" in note]
    folder = tmp_path / "vitequiv-out/cat"
    assert {"jacobian.json", "jacobian.safetensors", "spectrum.png"} <= {path.name for path in folder.iterdir()}
    assert len(list(folder.glob("vectors/*.png"))) == record["settings"]["k"]["value"] - 1


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_a_file_where_the_folder_should_be_is_told(run, tmp_path, overwrite):
    (tmp_path / "vitequiv-out").mkdir()
    (tmp_path / "vitequiv-out/cat").write_text("a file")
    done = run("jacobian", CAT, *TOPK, *overwrite)
    assert done.code == (2 if overwrite else 3)
    assert "Cannot write to vitequiv-out/cat: " in done.err + done.out
    assert "bug" not in done.err


@pytest.mark.draws
def test_names_that_matplotlib_reads_as_commands(run, tmp_path, monkeypatch):
    labels = []
    original = Legend.__init__

    def legend(self, parent, handles, names, **options):
        labels.extend(names)
        original(self, parent, handles, names, **options)

    monkeypatch.setattr(Legend, "__init__", legend)
    names = ["_x.png", "$y^{.png"]
    for name, photo in zip(names, (CAT, COFFEE), strict=True):
        Image.open(photo).save(tmp_path / name)
    done = run("jacobian", names[0], "--compare", names[1], *TOPK)
    assert done.code == 0, done.out + done.err
    assert labels == names


def test_topk_verified_costs_more_and_agrees(run):
    common = ("jacobian", CAT, "--method", "topk", "--k", 3, "--format", "json", "--quiet", "--out")
    (plain,) = run(*common, "o1").lines()
    (verified,) = run(*common, "o2", "--verify").lines()
    assert verified["cost"]["passes"] > 1.5 * plain["cost"]["passes"]
    assert verified["result"]["singular_values"] == pytest.approx(plain["result"]["singular_values"], rel=1e-5)
    assert run("jacobian", CAT, "--verify").code == 2
