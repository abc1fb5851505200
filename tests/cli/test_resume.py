"""Long runs through the installed command: killed, interrupted, doubled, fed by a pipe, out of disk, resumed."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import CAT, COFFEE, PROGRAM, folders
from tests.resumed import contents, listed, timeless
from vitequiv.tiny.scenes import Split, sample, scene_rng

QUICK = ("--cosine", "0.8", "--quiet", "--format", "json")


def pairs_file(folder: Path, count: int) -> Path:
    """Pairs of renders that differ, so that batches hold items that end at different times."""
    scenes = []
    for i, levels in enumerate(sample(count + 1, scene_rng(Split.HELD_OUT, 5)).images):
        scenes.append(folder / f"scene{i}.png")
        Image.fromarray(levels).save(scenes[-1])
    path = folder / "pairs.csv"
    path.write_text("source,target\n" + "".join(f"{a},{b}\n" for a, b in pairwise(scenes)))
    return path


def start(folder: Path, *arguments: object, **options) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "vitequiv", *map(str, arguments)],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> tuple[str, str]:
    """What a process still prints; `communicate` would lose what `readline` has read beyond its line."""
    assert process.stdout is not None
    assert process.stderr is not None
    if process.stdin is not None:
        process.stdin.close()
    printed, errors = process.stdout.read(), process.stderr.read()
    process.wait(timeout=300)
    process.stdout.close()
    process.stderr.close()
    return printed, errors


def ended(out: Path) -> int:
    try:
        return (out / "results.jsonl").read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


@pytest.mark.slow
def test_a_run_killed_at_random_moments_and_resumed_equals_an_undisturbed_one(tmp_path):
    pairs = pairs_file(tmp_path, 12)
    command = ("match", "--pairs", pairs, "--cosine", "0.9", "--batch-size", "4", "--quiet", "--format", "json")
    whole = start(tmp_path, *command, "--out", "whole")
    printed, _ = finish(whole)
    out, chance = tmp_path / "killed", random.Random(0)
    kills = 0
    while kills < 5:
        process = start(tmp_path, *command, "--out", out, "--resume")
        # Some moment after some item of this attempt, in the middle of whatever is going on then.
        target = ended(out) + chance.randint(0, 2)
        while process.poll() is None and ended(out) < min(target, 11):
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        process.kill()
        finish(process)
        kills += 1
    last = start(tmp_path, *command, "--out", out, "--resume")
    resumed, _ = finish(last)
    assert last.returncode == whole.returncode
    assert [timeless(json.loads(line)) for line in resumed.splitlines()] == [
        timeless(json.loads(line)) for line in printed.splitlines()
    ]
    assert contents(out) == contents(tmp_path / "whole")
    assert listed(out) == listed(tmp_path / "whole")
    assert len(listed(out)) == 12
    assert sorted(path.name for path in out.iterdir() if path.is_file()) == ["match.run.json", "results.jsonl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_does(tmp_path, number):
    pairs = pairs_file(tmp_path, 6)
    command = ("match", "--pairs", pairs, *QUICK, "--batch-size", "1", "--solver", "gd", "--out", "out")
    process = start(tmp_path, *command)
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    process.send_signal(number)
    printed, errors = finish(process)
    done = [first, *map(json.loads, printed.splitlines())]
    assert process.returncode == 130
    assert errors.count("\n") == 1
    assert errors.startswith("Error: Interrupted: ")
    assert "--resume" in errors
    assert [record["item"] for record in done] == [record["item"] for record in listed(tmp_path / "out")]
    assert len(done) < 6
    again = errors.split("go on with: ")[1].split()
    assert again[0] == "vitequiv"
    resumed = start(tmp_path, *again[1:])
    printed, _ = finish(resumed)
    assert resumed.returncode == 0
    records = [json.loads(line) for line in printed.splitlines()]
    assert len(records) == 6
    assert records[: len(done)] == done  # as they are, times and all
    assert len(listed(tmp_path / "out")) == 6


def test_an_item_is_done_while_the_pipe_is_open(tmp_path, photos):
    process = start(tmp_path, "match", "-", COFFEE, *QUICK, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for name in ("a.png", "b.jpg"):
        process.stdin.write(f"photos/{name}\n")
        process.stdin.flush()
        record = json.loads(process.stdout.readline())
        assert record["inputs"][0]["path"] == f"photos/{name}"
        assert record["status"] == "converged"
    rest, errors = finish(process)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_an_interrupt_while_waiting_for_the_pipe(tmp_path, photos):
    process = start(tmp_path, "match", "-", COFFEE, *QUICK, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("photos/a.png\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["status"] == "converged"
    process.send_signal(signal.SIGTERM)
    _, errors = finish(process)
    assert process.returncode == 130
    assert errors.count("\n") == 1


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.3, 1.0, 1.5])
def test_an_interrupt_during_the_start_is_one_line(tmp_path, delay):
    process = start(tmp_path, "match", CAT, COFFEE, "--solver", "gd", "--step-size", "1e-9", "--quiet")
    # Python needs some hundredths of a second before it runs a line of ours.
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not _handles_signals(process.pid):
        time.sleep(0.001)
    time.sleep(delay)
    process.send_signal(signal.SIGTERM)
    out, errors = finish(process)
    assert process.returncode == 130
    assert out == ""
    assert errors.startswith("Error: Interrupted")
    assert errors.count("\n") == 1


def _handles_signals(pid: int) -> bool:
    """Whether a process catches SIGTERM by now."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


def test_a_second_run_on_the_same_directory_is_refused_by_name(tmp_path, photos, run):
    process = start(tmp_path, "match", "-", COFFEE, *QUICK, stdin=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("photos/a.png\n")
    process.stdin.flush()
    assert process.stdout.readline()
    for verb in (("match", photos / "b.jpg", COFFEE), ("jacobian", photos / "b.jpg")):
        done = run(*verb)
        assert done.code == 2
        assert f"process {process.pid} on " in done.err
    finish(process)
    assert run("match", photos / "b.jpg", COFFEE, *QUICK).code == 0  # its end is the lock's


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


VERBS = {
    "jacobian": ("jacobian", "photos/a.png", "photos/b.jpg", "--method", "topk", "--k", 2),
    "ldlc": ("ldlc", "photos/a.png", "photos/b.jpg", "--count", 5, "--measured", 5, "--along", 1),
    "interpolate": ("interpolate", "--pairs", "pairs.csv", "--steps", 3),
    "classify": ("classify", "photos", "--labels", "red star,blue ring", "--model", "tiny-clip"),
    "statistics": ("statistics", "photos", "--count", 3, "--cosine", 0.5),
}


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_resumes_what_is_missing(run, tmp_path, photos, verb):
    (tmp_path / "pairs.csv").write_text("source,target\nphotos/a.png,photos/b.jpg\nphotos/c.png,photos/b.jpg\n")
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


@pytest.mark.parametrize("delays", [(0.0,), (0.05,), (0.3,), (0.6,)], ids=str)
def test_a_signal_after_the_last_line_does_not_undo_the_exit_code(tmp_path, photos, delays):
    """Python takes a while to clear up after torch, and by itself would let the signal kill it then."""
    process = start(tmp_path, "match", "photos/a.png", COFFEE, *QUICK)
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "converged"
    for delay in delays:
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
    _, errors = finish(process)
    assert process.returncode in (0, 130)  # 130 while the run itself was still being closed
    assert errors.count("\n") <= 1


@pytest.mark.parametrize("second", [0.02, 0.1, 0.3])
def test_two_signals_in_a_row_are_one(tmp_path, second):
    endless = ("--cosine", "0.9999", "--max-passes", "1000000")  # at the paper's step: minutes
    process = start(tmp_path, "match", CAT, COFFEE, "--solver", "gd", *endless, "--quiet")
    time.sleep(6)
    process.send_signal(signal.SIGINT)
    time.sleep(second)
    process.send_signal(signal.SIGINT)
    _, errors = finish(process)
    assert process.returncode == 130
    assert errors.startswith("Error: Interrupted")
    assert errors.count("\n") == 1
