"""`vitequiv jacobian` end to end."""

from __future__ import annotations

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE
from vitequiv import load_encoder
from vitequiv.geometry.operator import Jacobian


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
    encoder = load_encoder("tiny-clip", dtype=torch.float64)
    jacobian = Jacobian(encoder.embed, encoder.preprocess(Image.open(CAT)))
    image = jacobian @ tensors["right"][:, 0].double()
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


def test_the_same_bytes_twice(run, tmp_path):
    for out in ("one", "two"):
        run("jacobian", CAT, "--method", "topk", "--out", out)
    records = [json.loads((tmp_path / out / "cat/jacobian.json").read_text()) for out in ("one", "two")]
    for record in records:
        record["cost"]["seconds"] = 0
    assert records[0] == records[1]
    files = [(tmp_path / out / "cat/jacobian.safetensors").read_bytes() for out in ("one", "two")]
    assert files[0] == files[1]


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        ((), 2, ["IMAGE"]),
        ((CAT, "--k", "3"), 2, ["--method topk"]),
        ((CAT, "--method", "topk", "--k", "129"), 2, ["128"]),
        ((CAT, "--method", "topk", "--k", "0"), 2, ["--k"]),
        ((CAT, "--method", "svd"), 2, ["--method"]),
        ((CAT, "--tolerance", "0"), 2, ["--tolerance"]),
        ((CAT, "--model", "nothing"), 4, ["nothing"]),
    ],
)
def test_misuse(run, arguments, code, fragments):
    done = run("jacobian", *arguments)
    assert done.code == code
    for fragment in fragments:
        assert fragment in done.err


def test_a_missing_image_to_compare_with_fails_each_item_by_name(run):
    done = run("jacobian", CAT, "--compare", "absent.png", "--method", "topk", "--format", "json", "--quiet")
    assert done.code == 3
    (record,) = done.lines()
    assert "absent.png" in record["message"]
