"""The command that an interrupted run prints: run as it is printed, it goes on."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CAT, COFFEE
from vitequiv.cli.again import program, quoted
from vitequiv.cli.opened import opened
from vitequiv.runs.interrupt import Interrupted

MARK = "go on with: "
VERBS = {"match", "jacobian", "ldlc", "classify", "interpolate", "statistics"}


@pytest.fixture
def interrupted(run, monkeypatch):
    """Run a verb that is interrupted before its model is loaded.

    What is printed up to `go on with: `, the words after it, and what the verb had read.
    """

    def begin(*arguments: object, stdin: str = "") -> tuple[str, list[str], dict]:
        seen = []

        def stop(asked, _names):
            seen.append(asked)
            return opened(asked, None)

        def interrupt(*_):
            raise Interrupted

        with monkeypatch.context() as patched:
            patched.setattr("vitequiv.cli.run.opened", stop)
            patched.setattr("vitequiv.cli.opened.check", interrupt)
            done = run(*arguments, stdin=stdin)
        assert done.code == 130, done.err
        line = done.err.splitlines()[-1]
        assert line.startswith("Error: Interrupted: all items that ended are in ")
        hint, _, command = line.partition(MARK)
        (asked,) = seen
        read = {**asked.context.params, "overwrite": asked.overwrite, "resume": asked.resume}
        return hint, shlex.split(command), read

    return begin


def verb_of(words: list[str]) -> list[str]:
    """The printed words from the verb on."""
    return words[next(i for i, word in enumerate(words) if word in VERBS) :]


@pytest.fixture
def odd(tmp_path):
    """Images and a configuration file whose names a shell, Rich's markup and the parser of options could misread."""
    for name in ("-x.png", "--overwrite", "--resume", "a b.png", "it's.png", "[bold].png", "$HOME;.png", "b\\[.png"):
        shutil.copy(CAT, tmp_path / name)
    shutil.copy(COFFEE, tmp_path / "t.png")
    (tmp_path / "labels.txt").write_text("cat\ncoffee\n")
    (tmp_path / "replace.toml").write_text("overwrite = true\n[match]\ncosine = 0.7\n")
    (tmp_path / "keep.toml").write_text("resume = true\n")
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy(CAT, tmp_path / "photos" / name)
    return tmp_path


@pytest.mark.parametrize(
    "words",
    [
        ("match", "a b.png", "t.png"),
        ("match", "photos/", "./t.png", "--out", "here/there"),
        ("match", "--", "-x.png", "t.png"),
        ("match", "--", "--overwrite", "t.png"),
        ("match", "--overwrite", "--", "--resume", "t.png"),
        ("match", "it's.png", "[bold].png", "$HOME;.png", "b\\[.png", "t.png"),
        ("match", "--out", "--overwrite.out", "a b.png", "t.png"),
        ("match", "--out=--resume.out", "a b.png", "t.png"),
        ("match", "-qo", "out", "a b.png", "t.png"),
        ("match", "a b.png", "--overwrite", "t.png"),
        ("match", "--config", "replace.toml", "a b.png", "t.png"),
        ("match", "--config=replace.toml", "--overwrite", "--", "-x.png", "t.png"),
        ("match", "--config", "keep.toml", "--overwrite", "a b.png", "t.png"),
        ("match", "--to", "t.png", "--to", "it's.png", "a b.png"),
        ("match", "--to=--overwrite", "a b.png"),
        ("match", "--target-text", "--resume", "a b.png"),
        ("match", "--target-text", "a photo of 'a' \"cat\" [/] :smile: \\", "a b.png"),
        ("match", "--linf", "8/255", "--step-size", "1e-9", "--dtype", "float64", "a b.png", "t.png"),
        ("match", "a b.png", "t.png", "--resume"),
        ("jacobian", "--method", "topk", "--k", "3", "--verify", "--", "-x.png"),
        ("ldlc", "photos", "--directions", "random, null", "--overwrite", "--config", "replace-all.toml"),
        ("interpolate", "--path", "matched", "--match", "end", "--overwrite", "--", "-x.png", "t.png"),
        ("classify", "photos", "--labels-file", "labels.txt", "--model", "tiny-clip", "--model", "timm:x"),
        ("statistics", "photos", "--count", "1", "--overwrite", "--model", "tiny-clip"),
    ],
    ids=str,
)
def test_what_is_printed_means_the_same_and_goes_on(interrupted, odd, words):
    (odd / "replace-all.toml").write_text("overwrite = true\n")
    hint, printed, read = interrupted(*words)
    assert hint.endswith("; ")
    assert "again" not in hint
    _, once_more, then = interrupted(*verb_of(printed))
    assert then == {**read, "overwrite": False, "resume": True}
    assert once_more == printed


def test_a_run_that_was_interrupted_goes_on_by_what_is_printed(run, interrupted, odd):
    words = ("match", "--config", "replace.toml", "--quiet", "--format", "json", "--", "-x.png", "t.png")
    first = run(*words)
    assert first.code == 0
    _, printed, _ = interrupted("match", "--overwrite", "--out", "elsewhere", *words[1:])
    del printed[printed.index("--out") : printed.index("--out") + 2]
    done = run(*verb_of(printed))
    assert (done.code, done.out, done.err) == (0, first.out, "")  # kept, times and all


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("match", "-", "t.png"), "give the names on standard input again, and "),
        (("match", "a b.png", "--to", "-"), "give the names on standard input again, and "),
        (("jacobian", "-"), "give the names on standard input again, and "),
        (("jacobian", "a b.png", "--config", "/dev/fd/{fd}"), "give what was read from /dev/fd/{fd} again, and "),
    ],
    ids=str,
)
def test_what_a_command_cannot_repeat_is_said(interrupted, odd, words, says):
    with (odd / "keep.toml").open("rb") as file:
        words = [word.format(fd=file.fileno()) for word in words]
        hint, printed, read = interrupted(*words, stdin="it's.png\n")
        assert hint.endswith(f"; {says.format(fd=file.fileno())}")
        _, _, then = interrupted(*verb_of(printed), stdin="it's.png\n")
    assert then == {**read, "resume": True}


def test_the_file_cannot_ask_for_both(run, odd):
    (odd / "both.toml").write_text("overwrite = true\nresume = true\n")
    done = run("match", "a b.png", "t.png", "--config", "both.toml")
    assert done.code == 2
    assert "sets overwrite, which replaces results, and resume" in done.err


@pytest.mark.parametrize(
    ("on_path", "called", "argv0", "expected"),
    [
        (True, ["{py}", "{bin}/vitequiv"], "{bin}/vitequiv", ["vitequiv"]),
        (False, ["{py}", "{bin}/vitequiv"], "{bin}/vitequiv", ["{bin}/vitequiv"]),
        (True, ["{py}", "venv/bin/vitequiv"], "venv/bin/vitequiv", ["venv/bin/vitequiv"]),
        (False, ["{py}", "vitequiv"], "vitequiv", ["./vitequiv"]),
        (True, ["{py}", "-I", "{bin}/vitequiv"], "{bin}/vitequiv", ["{py}", "-I", "{bin}/vitequiv"]),
        (True, ["{py}", "{bin}/plain.py"], "{bin}/plain.py", ["{py}", "{bin}/plain.py"]),
        (False, ["{py}", "-m", "vitequiv"], "/x/__main__.py", ["{py}", "-m", "vitequiv"]),
        (False, ["{py}", "-W", "error", "-m", "vitequiv"], "/x/__main__.py", ["{py}", "-W", "error", "-m", "vitequiv"]),
        (False, ["gone-python", "-m", "vitequiv"], "/x/__main__.py", ["{py}", "-m", "vitequiv"]),
        (True, ["pytest"], "vitequiv", ["vitequiv"]),
        (False, ["pytest"], "vitequiv", ["{py}", "-m", "vitequiv"]),
    ],
)
def test_the_program_is_named_as_it_was_called(monkeypatch, tmp_path, on_path, called, argv0, expected):
    binaries = tmp_path / "venv/bin"
    binaries.mkdir(parents=True)
    for script in (binaries / "vitequiv", tmp_path / "vitequiv"):
        script.write_text("#!python\n")
        script.chmod(0o755)
    (binaries / "plain.py").write_text("print()\n")

    def fill(word: str) -> str:
        return word.format(py=sys.executable, bin=binaries)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(binaries) if on_path else "/nowhere")
    monkeypatch.setattr(sys, "argv", [fill(argv0), "match", "a"])
    tail = ["tests"] if called == ["pytest"] else ["match", "a"]
    monkeypatch.setattr(sys, "orig_argv", [*map(fill, called), *tail])
    assert program() == [fill(word) for word in expected]


@pytest.mark.parametrize("call", [["-m", "where"], ["where.py"], ["-X", "utf8", "-c", "import where"]], ids=str)
def test_what_python_says_of_a_call_calls_it_again(tmp_path, call):
    """In real processes, without the weight of a run: the words printed call the same again."""
    (tmp_path / "where.py").write_text(
        "import json, sys\nfrom vitequiv.cli.again import program\nprint(json.dumps([*program(), *sys.argv[1:]]))\n"
    )
    first = [sys.executable, *call, "a b", "--c"]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run(first, cwd=tmp_path, env=env, capture_output=True, text=True, check=True, timeout=300)
    assert ran.stdout == f"[{', '.join(repr(word) for word in first)}]\n".replace("'", '"')


@pytest.mark.needs_program("bash")
def test_words_that_cannot_be_printed_reach_the_shell_as_they_are():
    words = ["a\nb", "t\tab", "\x1b[31m", os.fsdecode(b"caf\xe9.png"), "it's\n\\x", "é", "", "a\u00a0b", "[bold]", "~"]
    line = " ".join(map(quoted, words))
    assert line.isprintable()
    done = subprocess.run(
        ["bash", "-c", os.fsencode(f"printf '%s\\0' {line}")], capture_output=True, check=True, timeout=60
    )
    assert done.stdout.split(b"\0")[:-1] == [os.fsencode(word) for word in words]
