"""`--engine ray`: the same files and lines, whatever happens to workers; and what is said where it cannot be."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM
from tests.cli.processes import pairs_file
from tests.resumed import contents, listed, timeless

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
RAY = ("--engine", "ray", "--ray-workers", 2)
LONG = ("--solver", "gd", "--max-passes", 60, "--batch-size", 2, "--quiet", "--format", "json")


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """Begin the installed program, in a directory whose files nothing may import, in a process group of its own."""
    (folder / "torch.py").write_text("raise SystemExit('imported from the directory of the user')")
    return subprocess.Popen(
        [PROGRAM, *map(str, arguments)],
        cwd=folder,
        env=ONE_THREAD,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def session(leader: int) -> dict[int, str]:
    """The processes of a session, with their names."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:  # it has ended meanwhile
            continue
    return found


def nothing_left(leader: int) -> bool:
    deadline = time.monotonic() + 30
    while session(leader) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not session(leader)


@pytest.mark.slow
def test_match_is_the_same_from_workers_of_which_one_is_killed(tmp_path, installed):
    pairs_file(tmp_path, 8)
    command = ("match", "--pairs", "pairs.csv", *LONG)
    here = installed(*command, "--out", "here", env=ONE_THREAD)
    assert here.code in {0, 3}

    process = start(tmp_path, *command, "--out", "there", *RAY)
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    # One of them at least has computed; where the machine is busy, the other may still begin.
    workers = [pid for pid, name in session(process.pid).items() if name.startswith("ray::Worker")]
    os.kill(workers[0], signal.SIGKILL)
    rest, errors = process.communicate(timeout=280)
    assert errors == ""
    assert process.returncode == here.code
    assert nothing_left(process.pid)
    lines += rest.splitlines()
    assert [timeless(json.loads(line)) for line in lines] == [timeless(record) for record in here.lines()]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert listed(tmp_path / "there") == listed(tmp_path / "here")

    # What one engine began, another goes on with.
    shutil.rmtree(tmp_path / "there" / here.lines()[4]["item"])
    again = installed(*command, "--out", "there", "--resume", env=ONE_THREAD)
    assert (again.code, again.err) == (here.code, "")
    assert contents(tmp_path / "there") == contents(tmp_path / "here")


OTHER_VERBS = {
    "jacobian": ("photos", "--method", "topk", "--k", 3, "--compare", "photos/b.jpg"),
    "ldlc": ("photos", "--count", 8, "--measured", 4, "--along", 1, "--directions", "singular,random,null"),
    "interpolate": ("--pairs", "pairs.csv", "--path", "matched", "--steps", 3, "--cosine", 0.9),
}


@pytest.mark.slow
@pytest.mark.parametrize("verb", OTHER_VERBS)
def test_the_other_verbs_are_the_same_from_workers(tmp_path, installed, photos, verb):
    pairs_file(tmp_path, 3)
    command = (verb, *OTHER_VERBS[verb], "--format", "json", "--quiet")
    here = installed(*command, "--out", "here", env=ONE_THREAD)
    there = installed(*command, "--out", "there", *RAY, env=ONE_THREAD)
    assert (there.code, there.err) == (here.code, "") == (0, "")
    assert [timeless(record) for record in there.lines()] == [timeless(record) for record in here.lines()]
    assert len(there.lines()) >= 3
    assert contents(tmp_path / "there", verb) == contents(tmp_path / "here", verb)


@pytest.mark.slow
def test_control_c_ends_the_workers_and_says_how_to_go_on(tmp_path):
    pairs_file(tmp_path, 40)
    process = start(tmp_path, "match", "--pairs", "pairs.csv", *LONG, *RAY)
    assert process.stdout is not None
    first = process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes
    rest, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert errors.startswith("Error: Interrupted: all items that ended are in vitequiv-out; go on with: ")
    assert errors.count("\n") == 1
    done = [first, *rest.splitlines(keepends=True)]
    assert (tmp_path / "vitequiv-out/results.jsonl").read_text() == "".join(done)
    assert 1 <= len(done) < 40
    assert nothing_left(process.pid)


def test_no_ray_is_a_sentence(run, photos, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr("vitequiv.runs.cluster.choice.find_spec", lambda name: None if name == "ray" else find(name))
    done = run("match", photos, photos / "a.png", "--engine", "ray")
    assert done.code == 2
    assert done.err == "Error: --engine ray needs Ray, which is not installed: run pip install 'vitequiv[ray]'.\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--ray-workers", 2), "--ray-workers goes with --engine ray: add that, or leave it out."),
        (("--ray-address", "auto"), "--ray-address goes with --engine ray: add that, or leave it out."),
        (("--engine", "here", "--ray-threads", 2), "--ray-threads goes with --engine ray: add that, or leave it out."),
        (("--engine", "ray", "--device", "cuda:1"), "--device must be auto, cpu or cuda, got 'cuda:1'."),
        (("--engine", "ray", "--ray-address", "ray://head:10001"), "run vitequiv on a node of it, and name that"),
        (("--engine", "ray", "--ray-address", "localhost:1"), "No Ray cluster can be joined at localhost:1"),
    ],
)
def test_what_cannot_be_is_refused_before_the_model_loads(run, photos, options, words):
    done = run("jacobian", photos, "--model", "no-such-model", *options)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_a_configuration_may_set_workers_for_the_runs_that_use_ray(run, photos, tmp_path):
    (tmp_path / "lab.toml").write_text("ray-workers = 2\n")
    done = run("jacobian", photos / "a.png", "--method", "topk", "--k", 1, "--config", "lab.toml", "--quiet")
    assert done.code == 0
