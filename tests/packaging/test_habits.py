"""What a contributor relies on agrees: README, CONTRIBUTING, Makefile, hooks, workflow, templates."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from tests.packaging.test_built import PROJECT, ROOT, TRIED

FAST_TESTS = ".venv/bin/python -m pytest -n auto -m 'not slow'"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_everybody_runs_the_same_fast_tests():
    for name in ("README.md", "CONTRIBUTING.md"):
        assert FAST_TESTS in (ROOT / name).read_text(encoding="utf-8")
    assert f"\n\t{FAST_TESTS.replace('.venv/bin/python', '$(PYTHON)')}\n" in MAKEFILE


@pytest.mark.needs_program("make")
@pytest.mark.parametrize("target", ["help", "setup", "test", "test-all", "lint", "format", "docs", "bench"])
def test_the_makefile_has_a_target(target):
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"\n{target}: ## " in MAKEFILE


def test_the_hooks_are_the_linters_of_ci():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    commands = [hook["entry"] for hook in repository["hooks"]]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for tool in ("ruff format", "ruff check", "mypy"):
        assert any(command.startswith(f"python -m {tool}") for command in commands)
        assert re.search(rf"^{tool}\b", ci, re.MULTILINE)


def test_the_workflow_runs_ci_on_every_version_that_is_claimed():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["run"]
    assert job["strategy"]["matrix"]["python"] == list(TRIED)
    assert any(step.get("run") == "bash .ci/run" for step in job["steps"])
    looked_for = re.search(
        r"^VERSIONS=\((.*)\)$", (ROOT / ".ci/interpreters.sh").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert looked_for is not None
    assert set(TRIED) <= set(looked_for[1].split())
    assert any(step.get("run") == "bash .ci/lowest" for step in workflow["jobs"]["lowest"]["steps"])


@pytest.mark.parametrize("name", ["wrong-number", "refused-checkpoint", "feature"])
def test_the_templates_of_issues_are_forms(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= form.keys()
    fields = [part for part in form["body"] if part["type"] != "markdown"]
    assert len({part["id"] for part in fields}) == len(fields) >= 3
    assert all(part["attributes"]["label"] for part in fields)
    assert any(part.get("validations", {}).get("required") for part in fields)


def test_every_dependency_has_a_lowest_version_and_no_highest():
    extras = [one for name, many in PROJECT["optional-dependencies"].items() for one in many]
    for requirement in [*PROJECT["dependencies"], *extras]:
        assert re.fullmatch(r"vitequiv\[\w+\]|[\w-]+>=[\d.]+(; .*)?", requirement), requirement
