"""`vitequiv match` to a text, a saved embedding and a mean; and the verbs that read such matches."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tests.cli.conftest import CAT, COFFEE, PHOTOS
from tests.loaded import loaded
from vitequiv.images.save import save_tensors
from vitequiv.matching.objective import cosine_similarity

TEXT = "a red circle"


@pytest.fixture(scope="module")
def encoder():
    return loaded("tiny-clip")


def embed_file(encoder, path: Path) -> torch.Tensor:
    with Image.open(path) as image, torch.no_grad():
        return encoder.embed(encoder.preprocess(image.convert("RGB"))[None])


def test_a_text(run, encoder, tmp_path):
    done = run("match", CAT, COFFEE, "--target-text", TEXT, "--cosine", 0.9, "--format", "json", "--quiet")
    assert done.code == 0, done.err
    for record, name in zip(done.lines(), ("cat", "coffee"), strict=True):
        assert record["item"] == f"{name}_to_a_red_circle"
        saved = embed_file(encoder, tmp_path / "vitequiv-out" / record["item"] / "matched.png")
        cosine = cosine_similarity(saved, encoder.embed_text([TEXT])).item()
        assert cosine >= 0.9
        assert record["result"]["cosine"]["saved"] == pytest.approx(cosine, abs=1e-6)
        assert record["settings"]["loss"] == {"value": "cosine", "source": "default"}
        assert record["settings"]["target_text"] == {"value": TEXT, "source": "flag"}
        source, target = record["inputs"]
        assert source["role"] == "source"
        assert (target["role"], target["path"]) == ("target", TEXT)
        # printf 'a red circle' | sha256sum
        assert target["sha256"] == "a1e4a280d27cad5b1aa05b230031f649a0ef0b265df51db178bcf44ccd129fd0"


def test_noise_to_a_text(run):
    done = run("match", "--init", "noise", "--target-text", TEXT, "--cosine", 0.5, "--format", "json")
    (record,) = done.lines()
    assert done.code == 0
    assert record["item"] == "noise_to_a_red_circle"
    assert [entry["role"] for entry in record["inputs"]] == ["target"]


def same_match(one: Path, two: Path) -> None:
    for name in ("matched.png", "matched.safetensors", "difference.png"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    records = [json.loads((folder / "match.json").read_text()) for folder in (one, two)]
    for record in records:
        del record["cost"]["seconds"]
    assert records[0]["result"] == records[1]["result"]
    assert records[0]["cost"] == records[1]["cost"]


def test_a_saved_target_is_the_target_to_the_byte(run, tmp_path):
    run("match", CAT, COFFEE, "--out", "o")
    saved = "o/cat_to_coffee/matched.safetensors"
    done = run("match", CAT, "--target-embedding", f"{saved}#embedding_target", "--out", "o", "--format", "json")
    assert done.code == 0, done.err
    (record,) = done.lines()
    assert record["item"] == "cat_to_matched_embedding_target"
    same_match(tmp_path / "o/cat_to_coffee", tmp_path / "o" / record["item"])
    target = record["inputs"][1]
    assert (target["role"], target["path"], target["notes"]) == ("target", saved, ["the tensor embedding_target"])


def test_the_mean_of_one_image_is_that_image(run, tmp_path):
    run("match", CAT, COFFEE, "--out", "o")
    run("match", CAT, "--target-mean", COFFEE, "--out", "o")
    same_match(tmp_path / "o/cat_to_coffee", tmp_path / "o/cat_to_mean_of_1")


@pytest.mark.parametrize("given", [["photos"], ["photos/*.*g", "photos/*.JPG"], ["a.png", "b.jpg", "c.png", "d.JPG"]])
def test_the_mean_of_several(run, encoder, tmp_path, photos, given):
    given = [name if "photos" in name else f"photos/{name}" for name in given]
    options = [argument for name in given for argument in ("--target-mean", name)]
    done = run("match", CAT, *options, "--cosine", 0.9, "--format", "json", "--batch-size", 3)
    assert done.code == 0, done.err
    (record,) = done.lines()
    targets = [entry for entry in record["inputs"] if entry["role"] == "target"]
    assert [Path(entry["path"]).name for entry in targets] == ["a.png", "b.jpg", "c.png", "d.JPG"]
    assert all(len(entry["sha256"]) == 64 for entry in targets)
    assert record["settings"]["target_mean"] == {"value": given, "source": "flag"}
    assert record["settings"]["loss"]["value"] == "distance"
    mean = torch.cat([embed_file(encoder, tmp_path / entry["path"]) for entry in targets]).mean(0)
    tensors = load_file(tmp_path / "vitequiv-out" / record["item"] / "matched.safetensors")
    # float32 sums of batches of other sizes
    torch.testing.assert_close(tensors["embedding_target"], mean, rtol=1e-4, atol=1e-4)
    assert record["result"]["cosine"]["saved"] >= 0.9


def test_the_cosine_loss_and_a_configuration_file(run, tmp_path):
    (tmp_path / "c.toml").write_text(f'[match]\nloss = "cosine"\ntarget-mean = "{COFFEE}"\n')
    done = run("match", CAT, "--config", "c.toml", "--format", "json")
    (record,) = done.lines()
    assert done.code == 0
    assert record["settings"]["loss"] == {"value": "cosine", "source": "config"}
    assert record["settings"]["target_mean"] == {"value": [str(COFFEE)], "source": "config"}
    for row in record["result"]["trajectory"]:
        assert row["loss"] == pytest.approx(1 - row["cosine"], abs=1e-6)


@pytest.mark.parametrize(
    ("tensors", "about", "name"),
    [
        ({"e": torch.ones(128)}, None, ""),
        ({"e": torch.ones(1, 128, dtype=torch.float64), "many": torch.ones(2, 128)}, None, ""),
        ({"e": torch.ones(128, dtype=torch.bfloat16), "f": torch.zeros(128)}, {"spec": "tiny-clip"}, "#e"),
    ],
)
def test_an_embedding_of_anybodys(run, tmp_path, tensors, about, name):
    save_tensors(tmp_path / "with#mark.safetensors", tensors, about)
    done = run(
        "match", CAT, "--target-embedding", f"with#mark.safetensors{name}", "--format", "json", "--max-passes", 3
    )
    (record,) = done.lines()
    assert done.code == 3
    assert record["status"] == "budget_exhausted"
    known = any("does not say" in note for note in record["inputs"][1]["notes"])
    assert known is (about is None)


@pytest.mark.parametrize(
    ("tensors", "about", "name", "fragment"),
    [
        ({"a": torch.ones(128), "b": torch.ones(128)}, {}, "", "holds 2 embeddings: add one's name, as in FILE#NAME"),
        ({"a": torch.ones(128)}, {}, "#c", "no tensor c, which is no embedding of tiny-clip: choose from a"),
        ({"a": torch.ones(128), "b": torch.ones(2, 128)}, {}, "#b", "the tensor b of shape (2, 128)"),
        ({"a": torch.ones(127)}, {}, "", "128 floating-point numbers: it holds a (127,) F32"),
        ({"a": torch.ones(128, dtype=torch.int32)}, {}, "", "it holds a (128,) I32"),
        ({"a": torch.zeros(128)}, {}, "", "is zero, NaN or infinite"),
        ({"a": torch.full((128,), torch.inf)}, {}, "", "is zero, NaN or infinite"),
        ({"a": torch.ones(128)}, {"spec": "beit"}, "", "is of beit, not of tiny-clip"),
        ({"a": torch.ones(128)}, {"spec": "beit", "weights_sha256": "0"}, "", "is of beit, not of tiny-clip"),
        ({"a": torch.ones(128)}, {"spec": "tiny-clip", "weights_sha256": "0"}, "", "is of other weights of tiny-clip"),
        ({"a": torch.ones(128)}, {"weights_sha256": "0"}, "", "is of a model that it does not name"),
        ({"a": torch.ones(128)}, {"spec": "tiny-clip", "readout": "mean"}, "", "is of the readout mean"),
    ],
)
def test_an_embedding_that_will_not_do(run, tmp_path, tensors, about, name, fragment):
    save_tensors(tmp_path / "e.safetensors", tensors, about)
    done = run("match", CAT, "--target-embedding", f"e.safetensors{name}", "--quiet")
    assert done.code == 2
    assert fragment in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ([CAT, "--target-text", TEXT, "--target-mean", COFFEE], "Name one target"),
        ([CAT, "--target-text", TEXT, "--target-embedding", "e"], "Name one target"),
        ([CAT, "--target-embedding", "e", "--target-mean", COFFEE], "Name one target"),
        (["--pairs", "p.csv", "--target-text", TEXT], "either --pairs"),
        (["--target-text", TEXT], "at least one SOURCE"),
        ([CAT, "--init", "noise", "--target-text", TEXT], "leave out the names"),
        ([CAT, "--target-text", "  "], "--target-text is empty"),
        ([CAT, "--target-text", "a fridge"], "does not know the word 'fridge'"),
        ([CAT, "--target-text", TEXT, "--residual", 0.1], "--residual is a distance"),
        ([CAT, "--target-text", TEXT, "--model", "tiny-beit"], "tiny-clip and clip (open_clip) have one"),
        ([CAT, "--target-embedding", "gone.safetensors"], "No such file"),
        ([CAT, "--target-embedding", COFFEE], "name a safetensors file"),
        ([CAT, "--target-embedding", "e#"], "must be FILE or FILE#TENSOR"),
        ([CAT, "--target-embedding", "#e"], "must be FILE or FILE#TENSOR"),
        ([CAT, "--target-embedding", ""], "must be FILE or FILE#TENSOR"),
        ([CAT, "--target-mean", "*.gone"], "matches no image"),
        ([CAT, "--target-mean", ""], "A name is empty"),
    ],
)
def test_misuse_is_one_sentence(run, arguments, fragment):
    done = run("match", *arguments, "--quiet")
    assert done.code == 2
    assert fragment in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


def test_an_image_of_a_mean_that_is_not_there_stops_the_run(run):
    done = run("match", CAT, "--target-mean", COFFEE, "--target-mean", "gone.png", "--quiet")
    assert done.code == 3
    assert "gone.png does not exist" in done.err


def test_a_source_that_fails_leaves_the_others(run):
    done = run("match", CAT, "gone.png", "--target-text", TEXT, "--cosine", 0.5, "--format", "json")
    assert done.code == 3
    assert [record["status"] for record in done.lines()] == ["converged", "failed"]
    assert [entry["path"] for entry in done.lines()[1]["inputs"]] == ["gone.png", TEXT]


def test_other_verbs_read_such_matches(run, tmp_path):
    run("match", CAT, "--target-text", TEXT, "--cosine", 0.9, "--out", "o")
    run("match", CAT, "--target-mean", PHOTOS, "--out", "o")
    embedding = "o/cat_to_mean_of_2/matched.safetensors#embedding_target"
    run("match", COFFEE, "--target-embedding", embedding, "--out", "o")
    classified = run("classify", "o", "--labels", "red circle,blue square", "--format", "json", "--out", "o/c")
    assert classified.code == 0, classified.err
    (record,) = classified.lines()
    names = ["cat → “a red circle”", "cat → mean of 2", "coffee → cat_to_mean_of_2/matched.safetensors"]
    assert [match["name"] for match in record["result"]["matches"]] == names
    for match in record["result"]["matches"]:
        assert match["after"] is not None
        assert match["target"] is match["takes_target_class"] is match["flipped"] is None
        assert match["cosine"] == {"before": None, "after": None}
    assert run("classify", "o", "--labels", "red circle,blue square", "--out", "o/d").code == 0
    assert run("report", "o").code == 0
    page = html.unescape((tmp_path / "o/report.html").read_text())
    assert all(name in page for name in names)
    assert "has moved or changed" not in page
