"""`vitequiv match --jpeg`: the file that is written, opened as anybody would, meets the goal."""

from __future__ import annotations

import io
import json

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE
from tests.loaded import loaded
from vitequiv.images import jpeg_extra


def measured(encoder, path) -> tuple[float, float]:
    """Cosine and relative residual to the coffee, in float64, by Pillow and the encoder alone."""
    with torch.no_grad():
        ours, target = (
            encoder.embed(encoder.preprocess(Image.open(p).convert("RGB"))[None])[0].double() for p in (path, COFFEE)
        )
    return (ours @ target / ours.norm() / target.norm()).item(), ((ours - target).norm() / target.norm()).item()


@pytest.mark.parametrize(
    ("model", "quality", "cosine"),
    [("tiny-clip", 90, 0.99), ("tiny-clip", 50, 0.95), ("tiny-deit", 90, 0.95)],
    ids=["quality-90", "quality-50", "on-a-canvas"],
)
def test_the_jpeg_meets_the_goal(run, tmp_path, model, quality, cosine):
    done = run("match", CAT, COFFEE, "--model", model, "--jpeg", quality, "--cosine", cosine, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, record["message"]
    folder = tmp_path / "vitequiv-out/cat_to_coffee"
    assert record["artifacts"]["jpeg"] == "matched.jpg"
    assert record["settings"]["jpeg"] == {"value": quality, "source": "flag"}
    assert json.loads((folder / "match.json").read_text()) == record

    encoder = loaded(model)
    found = measured(encoder, folder / "matched.jpg")
    assert found[0] >= cosine
    # The same file through the same network; only the float32 sums of a batch of one are repeated.
    result = record["result"]
    assert (result["cosine"]["jpeg"], result["relative_residual"]["jpeg"]) == pytest.approx(found, abs=1e-6)
    # The loop saw that very file, among others in float32.
    assert result["cosine"]["final"] == pytest.approx(found[0], abs=1e-5)
    assert result["cosine"]["saved"] == pytest.approx(measured(encoder, folder / "matched.png")[0], abs=1e-6)

    with Image.open(folder / "matched.png") as png, Image.open(folder / "matched.jpg") as image:
        assert image.format == "JPEG"
        assert image.size == png.size == (result["canvas"]["width"], result["canvas"]["height"])
        again = io.BytesIO()
        png.save(again, "JPEG", quality=quality)  # anybody's, with Pillow's defaults
    assert (folder / "matched.jpg").read_bytes() == again.getvalue()
    with torch.no_grad():
        embedding = encoder.embed(encoder.preprocess(Image.open(folder / "matched.jpg").convert("RGB"))[None])[0]
    torch.testing.assert_close(load_file(folder / "matched.safetensors")["embedding_jpeg"], embedding)


def test_a_match_not_made_for_jpeg_is_lost_in_one(run, tmp_path):
    """What the option is for."""
    (record,) = run("match", CAT, COFFEE, "--format", "json").lines()
    folder = tmp_path / "vitequiv-out/cat_to_coffee"
    assert record["result"]["cosine"]["jpeg"] is None
    assert record["result"]["relative_residual"]["jpeg"] is None
    assert not (folder / "matched.jpg").exists()
    Image.open(folder / "matched.png").save(tmp_path / "theirs.jpg", quality=90)
    assert measured(loaded("tiny-clip"), tmp_path / "theirs.jpg")[0] < 0.9


def test_one_that_falls_short_says_how_close_it_came(run, tmp_path):
    done = run("match", CAT, COFFEE, "--jpeg", 90, "--max-passes", 20, "--format", "json")
    (record,) = done.lines()
    assert done.code == 3
    assert record["status"] == "budget_exhausted"
    assert record["cost"]["passes"] <= 20
    came = measured(loaded("tiny-clip"), tmp_path / "vitequiv-out/cat_to_coffee/matched.jpg")[0]
    assert record["message"].endswith(f"The JPEG came to cosine {came:.7f}.")


def test_a_batch(run, tmp_path, photos):
    done = run("match", photos, COFFEE, "--jpeg", 80, "--cosine", 0.95, "--format", "json")
    assert done.code == 0, done.out
    encoder = loaded("tiny-clip")
    for record in done.lines():
        path = tmp_path / "vitequiv-out" / record["item"] / "matched.jpg"
        assert measured(encoder, path)[0] >= 0.95


def test_the_table_has_a_column_for_it(run):
    assert "cos jpeg" in run("match", CAT, COFFEE, "--jpeg", 90, "--cosine", 0.8).out
    assert "cos jpeg" not in run("match", CAT, COFFEE, "--cosine", 0.8, "--out", "o").out


@pytest.mark.parametrize("quality", ["0", "101", "-3", "high", "90.5"])
def test_qualities_that_do_not_exist(run, tmp_path, quality):
    done = run("match", CAT, COFFEE, "--jpeg", quality)
    assert done.code == 2
    assert "--jpeg" in done.err
    assert not (tmp_path / "vitequiv-out").exists()


def test_without_kornia_nothing_is_begun(run, tmp_path, monkeypatch):
    monkeypatch.setattr(jpeg_extra, "find_spec", lambda name: None)
    done = run("match", CAT, COFFEE, "--jpeg", 90)
    assert done.code == 2
    assert "pip install 'vitequiv[jpeg]'" in done.err
    assert not (tmp_path / "vitequiv-out").exists()
