"""`vitequiv match` end to end on the embedded default."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE, folders
from tests.loaded import loaded
from vitequiv.matching.objective import cosine_similarity

FILES = {"matched.png", "matched.safetensors", "difference.png", "trajectory.png", "match.json"}


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


def embed_file(encoder, path: Path) -> torch.Tensor:
    """As anybody would, without vitequiv's own decoding."""
    with Image.open(path) as image, torch.no_grad():
        return encoder.embed(encoder.preprocess(image.convert("RGB"))[None])


@pytest.mark.draws
def test_two_photos(run, encoder, tmp_path):
    done = run("match", CAT, COFFEE)
    assert done.code == 0
    assert "tiny-clip" in done.err, "the default must be named"
    assert "beit" in done.err, "and so must the pretrained choices"
    folder = tmp_path / "vitequiv-out" / "cat_to_coffee"
    assert {path.name for path in folder.iterdir()} == FILES
    record = json.loads((folder / "match.json").read_text())
    assert list(record) == [
        "schema",
        "item",
        "status",
        "message",
        "inputs",
        "model",
        "settings",
        "cost",
        "environment",
        "result",
        "artifacts",
    ]
    assert record["schema"] == "vitequiv/match/1"
    assert record["status"] == "converged"
    assert set(record["cost"]) == {"forwards", "vjps", "jvps", "passes", "seconds", "peak_memory_mb"}
    assert set(record["result"]["perturbation"]) == {
        "l2",
        "mean_abs",
        "linf",
        "mean_abs_8bit",
        "linf_8bit",
        "psnr_db",
        "ssim",
        "lpips",
    }
    assert set(record["result"]["trajectory"][0]) == {"passes", "loss", "cosine", "mean_abs"}
    assert set(record["artifacts"].values()) == FILES - {"match.json"}

    saved = cosine_similarity(embed_file(encoder, folder / "matched.png"), embed_file(encoder, COFFEE)).item()
    assert saved >= 0.99
    # The same file through the same network; only the float32 sums of a batch of one are repeated.
    assert record["result"]["cosine"]["saved"] == pytest.approx(saved, abs=1e-6)
    assert record["result"]["cosine"]["initial"] == pytest.approx(
        cosine_similarity(embed_file(encoder, CAT), embed_file(encoder, COFFEE)).item(), abs=1e-6
    )
    assert record["result"]["cosine"]["initial"] < 0.9


def test_the_change_is_small_and_the_difference_image_shows_it(run, encoder, tmp_path):
    run("match", CAT, COFFEE, "--out", "o")
    matched, shown = (
        np.asarray(Image.open(tmp_path / "o/cat_to_coffee" / n)) for n in ("matched.png", "difference.png")
    )
    start = (encoder.preprocess(Image.open(CAT).convert("RGB")) * 255).round().permute(1, 2, 0).numpy()
    change = np.abs(matched.astype(int) - start.astype(int))
    assert np.array_equal(shown, np.clip(change * 50, 0, 255))
    # PSNR above 35 dB: by the usual rule of thumb invisible at arm's length; 40.7 dB measured.
    assert 10 * np.log10(255**2 / np.square(change).mean()) > 35
    record = json.loads((tmp_path / "o/cat_to_coffee/match.json").read_text())["result"]["perturbation"]
    assert record["linf_8bit"] == change.max()
    assert record["mean_abs_8bit"] == pytest.approx(change.mean())


def test_the_tensors_saved_are_those_of_the_result(run, encoder, tmp_path):
    run("match", CAT, COFFEE, "--out", "o")
    tensors = load_file(tmp_path / "o/cat_to_coffee/matched.safetensors")
    record = json.loads((tmp_path / "o/cat_to_coffee/match.json").read_text())["result"]
    assert tensors["pixels"].min() >= 0
    assert tensors["pixels"].max() <= 1
    assert (tensors["pixels"] - tensors["start"]).norm().item() == pytest.approx(record["perturbation"]["l2"], rel=1e-5)
    with torch.no_grad():
        cosine = cosine_similarity(encoder.embed(tensors["pixels"][None]), tensors["embedding_target"][None]).item()
    assert cosine == pytest.approx(record["cosine"]["final"], abs=1e-6)


def test_another_seed_gives_another_noise(run, tmp_path):
    for seed in (1, 2):
        run("match", "--init", "noise", COFFEE, "--seed", seed, "--out", f"o{seed}", "--max-passes", 3)
    starts = [load_file(tmp_path / f"o{seed}/noise_to_coffee/matched.safetensors")["start"] for seed in (1, 2)]
    assert not torch.equal(*starts)
    assert starts[0].std().item() == pytest.approx(12**-0.5, rel=0.02)  # uniform on [0, 1]


@pytest.mark.parametrize("solver", ["nystrom", "polyak", "gd", "adam", "lbfgs"])
def test_every_solver(run, tmp_path, solver):
    # The paper's procedure is slow to 0.99; 0.95 is a fair goal for all four.
    done = run("match", CAT, COFFEE, "--solver", solver, "--cosine", 0.95, "--format", "json", "--quiet")
    (record,) = done.lines()
    assert done.code == 0
    assert record["settings"]["solver"] == {"value": solver, "source": "flag"}
    assert record["result"]["cosine"]["saved"] >= 0.95


def test_a_folder_as_one_batch_or_one_by_one(run, tmp_path, photos):
    # To 0.9: some dozen passes, over which sums in another order do not lead another way yet, as they do to 0.99.
    command = ("match", photos, COFFEE, "--cosine", 0.9, "--format", "json", "--quiet", "--out")
    together, alone = run(*command, "together"), run(*command, "alone", "--batch-size", 1)
    assert together.code == alone.code == 0
    assert together.err == alone.err == ""
    assert [r["item"] for r in together.lines()] == ["a_to_coffee", "b_to_coffee", "c_to_coffee", "d_to_coffee"]
    for a, b in zip(together.lines(), alone.lines(), strict=True):
        assert a["result"]["cosine"]["saved"] >= 0.9
        assert a["result"]["perturbation"]["l2"] == pytest.approx(b["result"]["perturbation"]["l2"], rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "stdin", "items"),
    [
        (["photos/a.png", "photos/b.jpg", "photos/c.png"], "", ["a_to_c", "b_to_c"]),
        (["photos/*.png", "photos/d.JPG"], "", ["a_to_d", "c_to_d"]),
        (["**/[ab].*", "photos/c.png"], "", ["a_to_c", "b_to_c"]),
        (["-", "photos/c.png"], "photos/a.png\nphotos/d.JPG\n", ["a_to_c", "d_to_c"]),
        (["-", "photos/c.png"], "photos/a.png\0photos/b.jpg\0", ["a_to_c", "b_to_c"]),
        (["-", "photos/c.png"], "photos/new\nline.png\0photos/b.jpg\0", ["new_line_to_c", "b_to_c"]),
        (["photos", "photos/a.png"], "", ["b_to_a", "c_to_a", "d_to_a"]),
        (["--init", "noise", "photos/*.png"], "", ["noise_to_a", "noise_to_c"]),
        (["--pairs", "pairs.csv"], "", ["a_to_b", "mine", "a_to_b-2"]),
    ],
    ids=[
        "files",
        "pattern",
        "deep-pattern",
        "stdin",
        "stdin-nul",
        "stdin-nul-newline",
        "folder-with-target",
        "noise",
        "pairs",
    ],
)
def test_ways_to_name_sources(run, tmp_path, photos, arguments, stdin, items):
    (tmp_path / "pairs.csv").write_text(
        "source,target,name\nphotos/a.png,photos/b.jpg,\nphotos/c.png,photos/d.JPG,mine\nphotos/a.png,photos/b.jpg,\n"
    )
    if "new\nline" in stdin:
        (photos / "a.png").rename(photos / "new\nline.png")
    done = run("match", *arguments, "--cosine", 0.8, "--format", "json", stdin=stdin)
    assert done.code == 0, done.err
    assert [record["item"] for record in done.lines()] == items
    assert folders(tmp_path / "vitequiv-out") == sorted(items)


def test_an_exhausted_budget_is_written_and_is_not_success(run, tmp_path):
    done = run("match", CAT, COFFEE, "--max-passes", 10, "--format", "json")
    (record,) = done.lines()
    assert done.code == 3
    assert record["status"] == "budget_exhausted"
    assert record["cost"]["passes"] <= 10
    assert json.loads((tmp_path / "vitequiv-out/cat_to_coffee/match.json").read_text()) == record


def test_the_table(run):
    done = run("match", CAT, COFFEE)
    assert "cat_to_coffee" in done.out
    assert "converged" in done.out
    assert "1 of 1 written to vitequiv-out" in done.out


def test_settings_know_their_sources(run, tmp_path):
    (tmp_path / "c.toml").write_text("seed = 5\n[match]\nmax-passes = 2000\ncosine = 0.9\n")
    (record,) = run("match", CAT, COFFEE, "--config", "c.toml", "--cosine", 0.95, "--format", "json").lines()
    sources = {name: (s["value"], s["source"]) for name, s in record["settings"].items()}
    assert sources["seed"] == (5, "config")
    assert sources["max_passes"] == (2000, "config")
    assert sources["cosine"] == (0.95, "flag")
    assert sources["solver"] == ("nystrom", "default")
    assert sources["step_size"] == (0.17, "default")


def test_results_are_not_replaced_unless_asked(run, tmp_path):
    assert run("match", CAT, COFFEE, "--cosine", 0.8).code == 0
    before = (tmp_path / "vitequiv-out/cat_to_coffee/match.json").stat().st_mtime_ns
    refused = run("match", CAT, COFFEE, "--cosine", 0.8)
    assert refused.code == 2
    assert "--overwrite" in refused.err
    assert (tmp_path / "vitequiv-out/cat_to_coffee/match.json").stat().st_mtime_ns == before
    assert run("match", CAT, COFFEE, "--cosine", 0.8, "--overwrite").code == 0


def test_overwriting_leaves_no_older_result_of_an_item_that_fails(run, tmp_path, photos):
    assert run("match", photos / "a.png", COFFEE, "--cosine", 0.8).code == 0
    (photos / "a.png").write_bytes(b"broken since")
    assert run("match", photos / "a.png", COFFEE, "--cosine", 0.8, "--overwrite").code == 3
    assert not (tmp_path / "vitequiv-out/a_to_coffee/match.json").exists()


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_other_arithmetic(run, dtype):
    done = run("match", CAT, COFFEE, "--dtype", dtype, "--cosine", 0.95, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0, done.err
    assert record["environment"]["dtype"] == dtype
