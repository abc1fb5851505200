"""Runs that go on with what an earlier one left; rows that fail; disks that are full."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.cli.conftest import CAT, COFFEE, PROGRAM
from tests.cli.processes import QUICK
from tests.resumed import listed


def test_resume_is_exact_or_says_what_is_different(run, tmp_path, photos):
    command = ("match", photos, COFFEE, "--cosine", 0.8, "--format", "json")
    first = run(*command)
    assert first.code == 0
    assert run(*command).code == 2
    again = run(*command, "--resume")
    assert (again.code, again.out) == (0, first.out)
    other = run(*command, "--resume", "--seed", 1)
    assert other.code == 2
    assert "seed: 0 -> 1" in other.err
    assert other.out == ""
    assert run(*command, "--resume", "--batch-size", 2, "--quiet").out == first.out
    both = run(*command, "--resume", "--overwrite")
    assert both.code == 2
    assert "one of them" in both.err

    shutil.copy(CAT, photos / "a.png")
    changed = run(*command, "--resume")
    assert changed.code == 0
    assert "a_to_coffee: an input has changed: done again." in changed.err
    a, *rest = changed.lines()
    assert a["inputs"][0]["sha256"] != first.lines()[0]["inputs"][0]["sha256"]
    assert rest == first.lines()[1:]
    assert len(listed(tmp_path / "vitequiv-out")) == 5


SPELLED_OTHERWISE = [
    (
        ("jacobian", "photos/a.png", "--method", "topk", "--k", 2, "--compare", "photos/c.png"),
        ("jacobian", "photos/a.png", "--method", "topk", "--k", 2, "--compare", "{here}/link.png", "--readout"),
        "projection",
    ),
    (
        ("classify", "photos", "--labels", "red circle,blue square", "--model", "tiny-clip"),
        ("classify", "{here}/photos", "--labels", " red circle, blue square", "--model", "Tiny-CLIP", "--readout"),
        "projection",
    ),
]


@pytest.mark.parametrize(("first", "then", "readout"), SPELLED_OTHERWISE, ids=["jacobian", "classify"])
def test_the_same_settings_in_other_words_go_on(run, tmp_path, photos, first, then, readout):
    (tmp_path / "link.png").symlink_to(photos / "c.png")
    done = run(*first, "--format", "json", "--quiet")
    assert done.code == 0
    again = [word.format(here=tmp_path) if isinstance(word, str) else word for word in then]
    resumed = run(*again, readout, "--device", "cpu", "--format", "json", "--quiet", "--resume")
    assert (resumed.code, resumed.out, resumed.err) == (0, done.out, "")  # kept, times and all
    other = run(*again, "cls", "--format", "json", "--resume")
    assert other.code != 0
    assert other.out == ""


def test_a_failed_item_is_tried_again(run, tmp_path, photos):
    good = (photos / "a.png").read_bytes()
    (photos / "a.png").write_bytes(b"not yet copied")
    command = ("match", photos, COFFEE, "--cosine", 0.8, "--format", "json")
    assert [record["status"] for record in run(*command).lines()] == ["failed", *["converged"] * 3]
    (photos / "a.png").write_bytes(good)
    done = run(*command, "--resume")
    assert done.code == 0
    assert {record["status"] for record in done.lines()} == {"converged"}
    assert [record["status"] for record in listed(tmp_path / "vitequiv-out")] == ["failed", *["converged"] * 4]


def test_a_broken_row_costs_itself_alone(run, tmp_path, photos):
    (tmp_path / "pairs.csv").write_text(
        "source,target\nphotos/a.png,photos/b.jpg\nphotos/c.png\nphotos/c.png,photos/b.jpg\n"
    )
    done = run("match", "--pairs", "pairs.csv", *QUICK)
    assert done.code == 3
    assert [(r["item"], r["status"]) for r in done.lines()] == [
        ("a_to_b", "converged"),
        ("row-3", "failed"),
        ("c_to_b", "converged"),
    ]
    assert done.lines()[1]["message"].startswith("Row 3 of the pairs file pairs.csv lacks a source or a target")


@pytest.mark.needs_program("bash")
def test_a_disk_too_full_for_the_list_of_results_ends_the_run(tmp_path):
    """A limit of 8 KiB on files stands for the full disk; each failure's line has more than 1 KiB."""
    (tmp_path / "pairs.csv").write_text("source,target\n" + "".join(f"gone{i}.png,{COFFEE}\n" for i in range(40)))
    script = f"ulimit -f 8; exec '{PROGRAM}' match --pairs pairs.csv --quiet --format json"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "results.jsonl cannot be written: File too large" in done.stderr
    assert "--resume" in done.stderr
    lines = (tmp_path / "vitequiv-out/results.jsonl").read_text().splitlines()
    assert lines == done.stdout.splitlines()
    assert 1 <= len(lines) < 40


@pytest.mark.parametrize(("value", "code"), [("auto", 0), ("2", 0), ("0", 2), ("-1", 2), ("two", 2), ("²", 2)])
def test_batch_size(run, value, code):
    done = run("match", CAT, COFFEE, *QUICK, "--batch-size", value)
    assert done.code == code
    if code:
        assert f"--batch-size must be auto or a whole number from 1, got '{value}'" in done.err


def test_no_lock_is_left(run, tmp_path):
    assert run("match", CAT, COFFEE, *QUICK).code == 0
    assert not list((tmp_path / "vitequiv-out").glob(".*"))
