"""Links planted in the output directory, and names that would be code elsewhere, end to end."""

from __future__ import annotations

import shutil

import pytest

from tests.cli.conftest import CAT, COFFEE


@pytest.mark.parametrize("verb", ["match", "jacobian", "ldlc"])
def test_nothing_is_written_through_a_link(run, tmp_path, verb):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    for name in ("cat_to_coffee", "cat"):
        (out / name).symlink_to(elsewhere)
    arguments = {
        "match": (CAT, COFFEE, "--cosine", 0.7),
        "jacobian": (CAT, "--method", "topk", "--k", 1),
        "ldlc": (CAT, "--directions", "random", "--count", 1, "--measured", 1),
    }[verb]
    done = run(verb, *arguments, "--out", out, "--format", "json", "--quiet")
    assert done.code == 3, done.err
    (record,) = done.lines()
    assert record["status"] == "failed"
    assert "is a link that leads out of the run's directory" in record["message"]
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("flag", ["--overwrite", "--resume"])
@pytest.mark.parametrize("verb", ["match", "jacobian", "classify", "statistics"])
def test_nothing_is_removed_through_a_link(run, tmp_path, photos, verb, flag):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    elsewhere.mkdir()
    out.mkdir()
    for name in ("cat_to_coffee", "cat", "tiny-clip"):
        (out / name).symlink_to(elsewhere)
    (elsewhere / f"{verb}.json").write_text("mine")
    arguments = {
        "match": (CAT, COFFEE, "--cosine", 0.7),
        "jacobian": (CAT, "--method", "topk", "--k", 1),
        "classify": ("photos", "--labels", "red star,blue ring"),
        "statistics": ("photos", "--count", 2, "--cosine", 0.5),
    }[verb]
    done = run(verb, *arguments, "--out", out, "--format", "json", flag)
    assert done.code == 3
    assert "is a link that leads out of the run's directory" in done.out + done.err
    assert [path.read_text() for path in elsewhere.iterdir()] == ["mine"]


@pytest.mark.draws
def test_names_in_the_report_are_text(run, tmp_path):
    names = ["<script>alert(1)<.png", '"><img src=x onerror=alert(2)>.png', "&lt;b&gt;.png"]
    for name in names:
        shutil.copy(CAT, tmp_path / name)
    done = run("match", *names, COFFEE, "--cosine", 0.7, "--out", "o", "--quiet")
    assert done.code == 0
    assert run("report", "o").code == 0
    page = (tmp_path / "o/report.html").read_text()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "&amp;lt;b&amp;gt;" in page


def test_a_picture_of_no_change_has_no_infinity_in_the_table(run):
    done = run("match", CAT, COFFEE, "--max-passes", 1, "--quiet")
    assert done.code == 3
    assert "inf" not in done.out.splitlines()[1]
    assert "nan" not in done.out.splitlines()[1]
