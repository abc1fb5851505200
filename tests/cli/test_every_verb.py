"""What holds for every verb: the same bytes twice, resuming, and directories that several verbs share."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import folders
from tests.resumed import contents, timeless

VERBS = {
    "match": ("match", "--init", "noise", "photos/a.png", "photos/b.jpg", "--cosine", 0.9, "--seed", 7),
    "jacobian": ("jacobian", "photos/a.png", "photos/b.jpg", "--method", "topk", "--k", 2),
    "ldlc": (
        "ldlc",
        "photos/a.png",
        "photos/b.jpg",
        "--count",
        5,
        "--measured",
        5,
        "--along",
        1,
        "--directions",
        "null",
    ),
    "interpolate": ("interpolate", "--pairs", "pairs.csv", "--path", "null", "--steps", 3),
    "classify": ("classify", "photos", "--labels", "red star,blue ring", "--model", "tiny-clip"),
    "statistics": ("statistics", "photos", "--count", 3, "--cosine", 0.5),
}
"""A small run of each."""


@pytest.fixture
def pairs(photos, tmp_path):
    """The folder of four photos, and a list of two pairs of them."""
    (tmp_path / "pairs.csv").write_text("source,target\nphotos/a.png,photos/b.jpg\nphotos/c.png,photos/b.jpg\n")


@pytest.mark.draws
@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("verb", VERBS)
def test_the_same_bytes_twice(run, tmp_path, verb):
    for out in ("one", "two"):
        assert run(*VERBS[verb], "--out", out).code == 0
    one, two = (contents(tmp_path / out, verb) for out in ("one", "two"))
    assert one.keys() == two.keys()
    assert [name for name in one if one[name] != two[name]] == []
    assert any(name.endswith(".png") for name in one)


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_resumes_what_is_missing(run, tmp_path, verb):
    command = (*VERBS[verb], "--format", "json")
    first = run(*command)
    assert first.code == 0, first.err
    out = tmp_path / "vitequiv-out"
    whole = contents(out, verb)
    table = run(*command[:-2], "--resume")
    assert table.code == 0
    assert run(*command, "--resume").out == first.out
    last = first.lines()[-1]["item"]
    for path in (out / last).glob("*"):
        if path.is_file():
            path.unlink()
    (out / last / ".vitequiv-1-ab.tmp").write_bytes(b"half a file")
    again = run(*command, "--resume")
    assert [timeless(record) for record in again.lines()] == [timeless(record) for record in first.lines()]
    assert again.lines()[:-1] == first.lines()[:-1]
    assert contents(out, verb) == whole


def test_verbs_share_a_directory(run, tmp_path, photos):
    for verb in ("jacobian", "interpolate"):
        (tmp_path / "pairs.csv").write_text("source,target,name\nphotos/a.png,photos/b.jpg,a\n")
        assert run(*VERBS[verb], "--quiet").code == 0
    out = tmp_path / "vitequiv-out"
    assert folders(out) == ["a", "b"]
    schemas = [json.loads(line)["schema"] for line in (out / "results.jsonl").read_text().splitlines()]
    assert schemas == ["vitequiv/jacobian/1"] * 2 + ["vitequiv/interpolate/1"]
    assert {path.name for path in out.glob("*.run.json")} == {"jacobian.run.json", "interpolate.run.json"}
    assert run(*VERBS["jacobian"], "--resume").code == 0
