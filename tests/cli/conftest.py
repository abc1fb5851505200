"""Running the command: in this process, in a forked one, or as the installed program."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from tests.schemas import check_lines, check_new, json_files
from vitequiv.cli.app import main

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"
CAT, COFFEE = PHOTOS / "cat.png", PHOTOS / "coffee.png"
# With warnings as errors the in-process runs would hide nothing; the installed program runs as users run it.
PROGRAM = Path(sys.executable).parent / "vitequiv"


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str

    def lines(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]


def folders(out: Path) -> list[str]:
    """The items that have a folder in a run directory, sorted."""
    return sorted(path.name for path in out.iterdir() if path.is_dir())


@pytest.fixture
def run(capfd, monkeypatch, tmp_path):
    """Run `vitequiv ARGUMENTS` in this process, in an empty directory; all JSON is held to its schema."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: object, stdin: str = "") -> Finished:
        monkeypatch.setattr(sys, "argv", ["vitequiv", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        before = json_files(tmp_path)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        assert "Traceback" not in captured.err + captured.out
        check_lines(captured.out)
        check_new(tmp_path, before)
        return Finished(int(ended.value.code or 0), captured.out, captured.err)

    return run


def runner(program: Path, folder: Path) -> Callable[..., Finished]:
    """Run a program in a process of its own, in an empty directory; all JSON is held to its schema."""

    def run(*arguments: object, env: dict[str, str] | None = None) -> Finished:
        before = json_files(folder)
        done = subprocess.run(
            [program, *map(str, arguments)],
            cwd=folder,
            env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"} if env is None else env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        check_lines(done.stdout)
        check_new(folder, before)
        return Finished(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def installed(tmp_path):
    """The installed program, seconds slower than the others: for what depends on the interpreter's start."""
    return runner(PROGRAM, tmp_path)


@pytest.fixture
def forked(quick_program, tmp_path):
    """The command in a process of its own that was forked with all libraries imported."""
    return runner(quick_program, tmp_path)


@pytest.fixture
def photos(tmp_path):
    """A folder with four different small photos, cut from the two of the repository."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, path, box in (
        ("a.png", CAT, (0, 0, 200, 200)),
        ("b.jpg", CAT, (180, 60, 440, 300)),
        ("c.png", COFFEE, (0, 0, 300, 260)),
        ("d.JPG", COFFEE, (250, 100, 600, 400)),
    ):
        Image.open(path).convert("RGB").crop(box).save(folder / name)
    (folder / "notes.txt").write_text("not an image")
    return folder
