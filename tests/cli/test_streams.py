"""Standard streams that are closed, full, without a reader or of a narrow encoding; and what colours obey."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CAT, COFFEE, PROGRAM
from tests.programs import need

ARGUMENTS = f"match '{CAT}' '{COFFEE}' --cosine 0.7"


def bash(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    need("bash")
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env={**os.environ, **environment}, timeout=300, check=False,
        capture_output=True, encoding="utf-8", errors="surrogateescape",
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirection", "code", "sentence"),
    [
        (">&-", 2, "Error: Standard output is closed: send it somewhere, such as > /dev/null.\n"),
        (
            "> /dev/full",
            3,
            "Error: Standard output cannot be written (No space left on device): what is complete is in",
        ),
        ("--format json > /dev/full", 3, "Error: Standard output cannot be written (No space left on device)"),
        ("2>&- > table", 0, ""),
        ("2> /dev/full > table", 0, ""),
        ("<&- > table", 0, ""),
        ("<&- 2>&- > table", 0, ""),
    ],
)
def test_match_with_a_stream_that_is_no_use(tmp_path, redirection, code, sentence):
    done = bash(f"'{PROGRAM}' {ARGUMENTS} --quiet {redirection}", tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == bool(sentence)
    assert (tmp_path / "vitequiv-out/cat_to_coffee/match.json").exists() == (code != 2)
    if code == 0:
        assert "1 of 1 written" in (tmp_path / "table").read_text()


@pytest.mark.parametrize("arguments", ["--version", "--help", "models list", "models list --format json", "match -h"])
def test_little_verbs_with_a_stream_that_is_no_use(tmp_path, arguments):
    full = bash(f"'{PROGRAM}' {arguments} > /dev/full", tmp_path)
    assert (full.returncode, full.stderr.count("\n")) == (3, 1)
    closed = bash(f"'{PROGRAM}' {arguments} >&-", tmp_path)
    assert (closed.returncode, closed.stderr.count("\n")) == (2, 1)
    gone = bash(f"'{PROGRAM}' {arguments} | :; echo ${{PIPESTATUS[0]}}", tmp_path)
    assert (gone.stdout, gone.stderr) in {("141\n", ""), ("0\n", "")}  # 0 if all was written before the reader left


def test_a_reader_that_leaves(tmp_path, quick_program):
    for number in range(6):
        shutil.copy(CAT, tmp_path / f"{number}.png")
    arguments = f"match [0-5].png '{COFFEE}' --cosine 0.7 --batch-size 1 --format json --quiet"
    done = bash(f"'{quick_program}' {arguments} | head -c 9; code=${{PIPESTATUS[0]}}; echo; echo $code", tmp_path)
    assert done.stdout.splitlines() == ['{"schema"', "141"]
    assert done.stderr == ""
    assert (tmp_path / "vitequiv-out/0_to_coffee/match.json").exists()


NAME = b"caf\xe9 \xe6\x97\xa5.png"


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"LC_ALL": "C.UTF-8"},
        {"PYTHONIOENCODING": "ascii:strict"},
        {"PYTHONIOENCODING": "utf-8:strict"},
        {"PYTHONIOENCODING": "latin-1"},
    ],
)
@pytest.mark.parametrize("output_format", ["human", "json"])
def test_names_in_a_strict_locale(tmp_path, environment, output_format):
    shutil.copy(CAT, os.fsencode(tmp_path) + b"/" + NAME)
    script = f"printf '%s\\0' *.png gone-*.png | '{PROGRAM}' classify - --labels 'red star,blue ring' "
    done = bash(f"touch gone-*.png; rm gone-*.png; {script} --format {output_format}", tmp_path, **environment)
    assert done.returncode == 3, done.stderr  # the pattern itself, which is no file
    assert "bug" not in done.stderr
    assert "Warning" not in done.stderr
    assert "caf" in done.stdout
    assert "does not exist" in done.stdout


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        (":smile:.png", ":smile:.png does not exist"),
        ("[bold]x[.png", "[bold]x[.png"),
        ("\x1b]0;title\x07\x1b[31m.png", r"\x1b]0;title\x07\x1b[31m.png"),
        ("\u202egnp.png", r"\u202egnp.png does not exist"),
        ("line\nbreak.png", r"line\nbreak.png does not exist"),
    ],
)
def test_text_is_only_text(forked, name, seen):
    done = forked("match", f"./{name}", COFFEE, "--quiet")
    assert seen in done.out + done.err
    assert "\x1b" not in done.out + done.err


def in_terminal(program: Path, arguments: list[object], folder: Path, **environment: str) -> str:
    """What the program shows in a terminal of its own."""
    main, child = pty.openpty()
    # Without these of the tests' own surroundings.
    inherited = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "CI"}}
    with subprocess.Popen(
        [program, *map(str, arguments)], cwd=folder, env={"TERM": "xterm-256color", **inherited, **environment},
        stdin=child, stdout=child, stderr=child,
    ) as process:  # fmt: skip
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(main, 65536)
            except OSError:  # Linux's way to say that the other end is closed
                break
            if not part:
                break
            shown += part
        assert process.wait(timeout=60) == 0
    os.close(main)
    return shown.decode()


COLOUR = "\x1b[32m"
ANY_COLOUR = tuple(f"\x1b[{code}" for code in ("1;3", "3", "9"))


def test_a_terminal_has_colours_unless_it_is_dumb_or_they_are_refused(tmp_path, quick_program):
    arguments = ["match", CAT, COFFEE, "--cosine", 0.7, "--overwrite"]
    assert COLOUR in in_terminal(quick_program, arguments, tmp_path)
    assert not any(code in in_terminal(quick_program, arguments, tmp_path, NO_COLOR="1") for code in ANY_COLOUR)
    assert "\x1b" not in in_terminal(quick_program, arguments, tmp_path, TERM="dumb")


def test_no_colours_and_no_bars_away_from_a_terminal(tmp_path, quick_program):
    plain = bash(f"'{quick_program}' {ARGUMENTS}", tmp_path)
    assert "\x1b" not in plain.stdout + plain.stderr
    assert plain.stderr.startswith("No --model given")
    forced = bash(f"'{quick_program}' {ARGUMENTS} --overwrite", tmp_path, FORCE_COLOR="1")
    assert COLOUR in forced.stdout
    assert "matching" not in forced.stderr  # colours were asked for, not a bar in a log
    assert "\r" not in forced.stderr


@pytest.mark.parametrize(("columns", "lines"), [("20", 10), ("200", 3)])
def test_columns(tmp_path, quick_program, columns, lines):
    done = bash(f"'{quick_program}' {ARGUMENTS} --quiet", tmp_path, COLUMNS=columns)
    assert max(map(len, done.stdout.splitlines()[:-1])) <= int(columns)
    assert (len(done.stdout.splitlines()) > 3) == (lines > 3)


def test_quiet_leaves_errors(tmp_path, quick_program):
    done = bash(f"'{quick_program}' match gone.png '{COFFEE}' --quiet --model nothing", tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith("Error: There is no model named 'nothing'")


def test_the_interpreter_is_ours():
    assert Path(sys.executable).parent == PROGRAM.parent
