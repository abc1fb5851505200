"""docs/reference/schemas.md: it lists every schema, and its recipes validate a run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import need
from tests.results.make_earlier import EARLIER
from vitequiv._version import __version__
from vitequiv.results.schemas import file_name, schema_names

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/schemas.md"
TEXT = PAGE.read_text(encoding="utf-8")
RECIPES = re.findall(r"^```(sh|python)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A directory with the run that the page speaks of."""
    shutil.copytree(EARLIER / __version__, tmp_path / "run1")
    return tmp_path


def execute(folder: Path, language: str, code: str) -> subprocess.CompletedProcess[str]:
    if language == "sh":
        need("bash")
    command = ["bash", "-euo", "pipefail", "-c"] if language == "sh" else [sys.executable, "-c"]
    paths = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*command, code],
        cwd=folder,
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_every_schema_is_listed_once():
    rows = re.findall(r"^\| `(vitequiv/\S+)` \| .+ \| \[(\S+)\]\((\S+)\) \|$", TEXT, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == schema_names()
    for name, label, link in rows:
        assert label == file_name(name)
        assert (PAGE.parent / link).resolve().is_file()


def test_each_page_links_to_its_schema():
    for page in PAGE.parent.glob("*-json.md"):
        verb = page.name.removesuffix("-json.md")
        assert f"](../../vitequiv/results/schemas/{verb}-1.schema.json)" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["sh", "python"])
def test_the_recipes_accept_a_run_and_refuse_a_spoilt_one(folder, language):
    assert [kind for kind, _ in RECIPES] == ["sh", "python"]
    code = dict(RECIPES)[language]
    done = execute(folder, language, code)
    assert done.returncode == 0, done.stderr
    for path in (folder / "run1/a_to_b/match.json", folder / "run1/results.jsonl"):
        line = json.loads(path.read_text().splitlines()[0] if path.suffix == ".jsonl" else path.read_text())
        del line["cost"]["passes"]
        path.write_text(json.dumps(line))
    done = execute(folder, language, code)
    assert done.returncode == 1
    assert "'passes' is a required property" in done.stdout + done.stderr
