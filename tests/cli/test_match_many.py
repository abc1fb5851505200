"""`vitequiv match` over many targets: --to, and pairs files whose rows name texts and embeddings."""

from __future__ import annotations

import html
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import CAT, COFFEE
from tests.cli.test_match_targets import same_match
from vitequiv.images.save import save_tensors

QUICK = ("--max-passes", 3, "--format", "json")


def test_every_source_to_every_target(run, tmp_path, photos):
    targets = ("--to", COFFEE, "--to", photos / "c.png")
    done = run("match", CAT, photos / "a.png", *targets, "--cosine", 0.8, "--format", "json")
    assert done.code == 0, done.err
    records = done.lines()
    assert [record["item"] for record in records] == ["cat_to_coffee", "cat_to_c", "a_to_coffee", "a_to_c"]
    for record, source, target in zip(records, [CAT, CAT] + [photos / "a.png"] * 2, [COFFEE, photos / "c.png"] * 2,
                                      strict=True):  # fmt: skip
        assert [entry["path"] for entry in record["inputs"]] == [str(source), str(target)]
        assert record["settings"]["to"] == {"value": [str(COFFEE), str(photos / "c.png")], "source": "flag"}
        assert record["result"]["cosine"]["saved"] >= 0.8
        assert (tmp_path / "vitequiv-out" / record["item"] / "matched.png").exists()


def test_one_by_one_it_is_the_single_call_to_the_byte(run, tmp_path, photos):
    run("match", CAT, "--to", COFFEE, "--to", photos / "c.png", "--batch-size", 1, "--cosine", 0.9, "--out", "many")
    for target in (COFFEE, photos / "c.png"):
        run("match", CAT, target, "--cosine", 0.9, "--out", "one")
        same_match(tmp_path / f"one/cat_to_{target.stem}", tmp_path / f"many/cat_to_{target.stem}")


def test_a_folder_to_itself_leaves_out_the_images_with_themselves(run, photos):
    done = run("match", "photos", "--to", "photos", *QUICK)
    names = [record["item"] for record in done.lines()]
    assert names == [f"{a}_to_{b}" for a in "abcd" for b in "abcd" if a != b]
    assert "4 pairs of an image with itself are left out." in done.err
    done = run("match", "photos", "--to", "photos/../photos/b.jpg", *QUICK, "--overwrite")
    assert [record["item"] for record in done.lines()] == ["a_to_b", "c_to_b", "d_to_b"]
    assert "1 pair of an image with itself is left out." in done.err


def test_a_file_named_one_by_one_is_always_taken_and_a_bad_target_fails_alone(run):
    done = run("match", CAT, "--to", CAT, "--to", "gone.png", "--to", COFFEE, "--cosine", 0.5, "--format", "json")
    assert done.code == 3
    assert [record["status"] for record in done.lines()] == ["failed", "failed", "converged"]
    assert "the same image" in done.lines()[0]["message"]
    assert "gone.png does not exist" in done.lines()[1]["message"]


@pytest.mark.parametrize("side", ["sources", "targets"])
def test_names_on_standard_input(run, photos, side):
    names = "photos/a.png\nphotos/c.png\n"
    arguments = ("-", "--to", COFFEE) if side == "sources" else (CAT, "--to", "-")
    done = run("match", *arguments, *QUICK, stdin=names)
    expected = ["a_to_coffee", "c_to_coffee"] if side == "sources" else ["cat_to_a", "cat_to_c"]
    assert [record["item"] for record in done.lines()] == expected


def test_targets_from_a_configuration_file(run, tmp_path, photos):
    (tmp_path / "c.toml").write_text('[match]\nto = ["photos/a.png", "photos/b.jpg"]\n')
    done = run("match", COFFEE, "--config", "c.toml", *QUICK)
    assert [record["item"] for record in done.lines()] == ["coffee_to_a", "coffee_to_b"]
    assert done.lines()[0]["settings"]["to"]["source"] == "config"


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--to", COFFEE), "Name at least one SOURCE: with --to"),
        ((CAT, "--to", ""), "A name is empty"),
        ((CAT, "--to", "*.gone"), "matches no image"),
        ((CAT, "--to", "empty"), "holds no image"),
        (("-", "--to", "-"), "either the sources or the targets"),
        ((CAT, "--to", COFFEE, "--pairs", "p.csv"), "--pairs does not go with it"),
        ((CAT, "--to", COFFEE, "--init", "noise"), "--init noise does not go with it"),
        ((CAT, "--to", COFFEE, "--target-text", "a red circle"), "a --target option does not go with it"),
        ((CAT, "--to", COFFEE, "--target-embedding", "e"), "a --target option does not go with it"),
        ((CAT, "--to", COFFEE, "--target-mean", COFFEE), "a --target option does not go with it"),
        (("one", "--to", "one/cat.png"), "Every pair would be of an image with itself"),
        ((CAT, "one"), "use --to for many targets"),
        (("--pairs", "two.csv"), "Row 2 of the pairs file two.csv names 2 targets, target and target_text"),
        (("--pairs", "none.csv"), "Row 2 of the pairs file none.csv lacks a source or a target"),
        (("--pairs", "texts.csv", "--residual", 0.1), "--residual is a distance"),
        (("--pairs", "texts.csv", "--model", "tiny-beit"), "tiny-clip and clip (open_clip) have one"),
    ],
)
def test_misuse_is_one_sentence(run, tmp_path, arguments, fragment):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one/cat.png").write_bytes(CAT.read_bytes())
    (tmp_path / "two.csv").write_text("source,target,target_text\na,b,c\n")
    (tmp_path / "none.csv").write_text("source,target,target_text\na,,\n")
    (tmp_path / "texts.csv").write_text("source,target_text\na,a red circle\n")
    done = run("match", *arguments, "--quiet")
    assert done.code == 2
    assert fragment in done.err
    assert done.err.count("\n") == 1
    assert done.out == ""


@pytest.fixture
def mixed(run, tmp_path):
    """A pairs file with every kind of target, and a bad one of each; run, with its records."""
    save_tensors(tmp_path / "e.safetensors", {"one": torch.linspace(-1, 1, 128), "two": torch.ones(2)}, None)
    (tmp_path / "p.csv").write_text(
        "source,target,target_text,target_embedding,name\n"
        f"{CAT},{COFFEE},,,\n"
        f"{CAT},,a red circle,,\n"
        f"{CAT},,a fridge,,\n"
        f"{COFFEE},,,e.safetensors#one,\n"
        f"{COFFEE},,,gone.safetensors,\n"
        f"{COFFEE},,,e.safetensors#two,\n"
        f"{COFFEE},gone.png,,,\n"
        f"{COFFEE},,a red circle,,wish\n"
    )
    return run("match", "--pairs", "p.csv", "--cosine", 0.4, "--format", "json", "--out", "o")


def test_rows_of_every_kind(mixed):
    assert mixed.code == 3
    records = mixed.lines()
    assert [record["item"] for record in records] == [
        "cat_to_coffee", "cat_to_a_red_circle", "cat_to_a_fridge", "coffee_to_e_one", "coffee_to_gone",
        "coffee_to_e_two", "coffee_to_gone-2", "wish",
    ]  # fmt: skip
    failed = {i for i, record in enumerate(records) if record["status"] == "failed"}
    assert failed == {2, 4, 5, 6}
    for i, fragment in {2: "'fridge'", 4: "No such file", 5: "two of shape (2,)", 6: "does not exist"}.items():
        assert fragment in records[i]["message"]
        assert "\n" not in records[i]["message"]
    rows = [
        (record["settings"]["loss"]["value"], record["settings"]["target_text"], record["settings"]["target_embedding"])
        for record in records
    ]
    none = {"value": None, "source": "default"}
    text = {"value": "a red circle", "source": "pairs"}
    assert rows[0] == ("distance", none, none)
    assert rows[1] == rows[7] == ("cosine", text, none)
    assert rows[2][0] == "cosine"
    assert rows[3] == ("distance", none, {"value": "e.safetensors#one", "source": "pairs"})
    for i in (1, 7):
        assert all(
            row["loss"] == pytest.approx(1 - row["cosine"], abs=1e-6) for row in records[i]["result"]["trajectory"]
        )
    paths = [record["inputs"][1]["path"] for record in records]
    assert paths == [
        str(COFFEE), "a red circle", "a fridge", "e.safetensors", "gone.safetensors", "e.safetensors", "gone.png",
        "a red circle",
    ]  # fmt: skip
    assert records[3]["inputs"][1]["notes"][0] == "the tensor one"


def test_the_verbs_that_read_matches_know_what_a_row_named(mixed, run, tmp_path):
    assert mixed.code == 3
    assert run("report", "o").code == 0
    page = html.unescape((tmp_path / "o/report.html").read_text())
    for name in ("cat → coffee", "cat → “a red circle”", "coffee → e.safetensors", "coffee → “a red circle”"):
        assert name in page


@pytest.mark.parametrize(
    ("option", "value", "item"),
    [
        ("target_text", "a red circle", "cat_to_a_red_circle"),
        ("target_embedding", "e.safetensors#one", "cat_to_e_one"),
    ],
)
@pytest.mark.parametrize("loss", [None, "distance", "cosine"])
def test_a_row_is_the_option_to_the_byte(run, tmp_path, option, value, item, loss):
    save_tensors(tmp_path / "e.safetensors", {"one": torch.linspace(-1, 1, 128)}, None)
    (tmp_path / "p.csv").write_text(f"source,{option}\n{CAT},{value}\n")
    rest = ("--cosine", 0.5, "--max-passes", 30, "--format", "json", *(("--loss", loss) if loss else ()))
    (one,) = run("match", CAT, f"--{option.replace('_', '-')}", value, "--out", "one", *rest).lines()
    (row,) = run("match", "--pairs", "p.csv", "--out", "row", *rest).lines()
    same_match(tmp_path / "one" / item, tmp_path / "row" / item)
    assert row["inputs"] == one["inputs"]
    assert row["settings"][option]["value"] == one["settings"][option]["value"] == value
    assert row["settings"]["loss"] == one["settings"]["loss"]


def test_help_tells_of_it(run):
    done = run("match", "--help")
    assert "--to" in done.out
    assert "target_embedding" in done.out
    assert Path("vitequiv-out").exists() is False
