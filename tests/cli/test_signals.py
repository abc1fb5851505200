"""Long runs through the installed command: killed, interrupted, doubled, fed by a pipe."""

from __future__ import annotations

import json
import random
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.conftest import CAT, COFFEE, PROGRAM
from tests.cli.processes import QUICK, ended, finish, pairs_file, start
from tests.resumed import contents, listed, timeless

pytestmark = pytest.mark.slow


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
@pytest.mark.parametrize("called", ["module", "script"])
def test_an_interrupted_run_says_how_to_go_on_and_does(tmp_path, number, called):
    program = [sys.executable, "-m", "vitequiv"] if called == "module" else [PROGRAM]
    pairs = pairs_file(tmp_path, 6)
    command = ("match", "--pairs", pairs, *QUICK, "--batch-size", "1", "--solver", "gd", "--out", "out")
    process = start(tmp_path, *command, program=program)
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
    again = shlex.split(errors.split("go on with: ")[1])
    resumed = start(tmp_path, program=again)  # all of it, as it is printed
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
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "vitequiv-out/match.run.json").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    time.sleep(second)
    process.send_signal(signal.SIGINT)
    _, errors = finish(process)
    assert process.returncode == 130
    assert errors.startswith("Error: Interrupted")
    assert errors.count("\n") == 1
