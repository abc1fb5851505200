"""The reference is made from the code: nothing is missing, and what is committed is what would be made now."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import vitequiv
from vitequiv.cli.app import app
from vitequiv.errors import ExitCode
from vitequiv.variables import Variable

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import code_tables  # noqa: E402 # an extension of the site
import command_reference  # noqa: E402

CODE = [*(ROOT / "vitequiv").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")]


def test_the_tables_are_those_of_the_code():
    page = code_tables.PAGE.read_text(encoding="utf-8")
    assert page == code_tables.renewed(page), "run: python docs/_ext/code_tables.py"
    assert re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE) == [str(code.value) for code in ExitCode]
    assert re.findall(r"^\| `([A-Z_]+)` \|", page, flags=re.MULTILINE) == list(Variable)


def test_every_variable_of_vitequiv_is_in_the_table_and_in_the_code():
    used = {
        name
        for path in CODE
        if path.name != "variables.py"
        for name in re.findall(r"\bVITEQUIV_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }
    ours = {variable for variable in Variable if variable.startswith("VITEQUIV_")}
    assert used - {Variable.DEBUG} == ours - {Variable.DEBUG}
    assert "Variable.DEBUG" in (ROOT / "vitequiv" / "cli" / "app.py").read_text(encoding="utf-8")


def test_every_command_and_every_option_has_its_place():
    page = command_reference.reference()
    verbs = [command.name for command in app.registered_commands]
    groups = [f"{group.name} {child.name}" for group in app.registered_groups
              for child in group.typer_instance.registered_commands]  # fmt: skip
    assert re.findall(r"^## `vitequiv (.+)`$", page, flags=re.MULTILINE) == [*verbs, *groups]
    options = {
        name
        for _, command, context in command_reference.commands()
        for parameter in command.get_params(context)
        for name in parameter.opts
        if name.startswith("-")
    }
    shown = set(
        re.findall(r"(?<=[`\s])--?[\w-]+(?=[`,\s])", "\n".join(re.findall("^`-.*`$", page, flags=re.MULTILINE)))
    )
    assert shown == options
    match = page.partition("## `vitequiv match`")[2].partition("\n## ")[0]
    assert re.search(r"^`--cosine <float>`\n: .*\*default: 0\.99\*$", match, flags=re.MULTILINE)
    assert re.search(r"^`--max-passes .*`\n: .*x\\>=1\*$", match, flags=re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in vitequiv.__all__ if not name.startswith("_")])
def test_every_public_name_has_its_place(name):
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    assert re.search(rf"^\.\. auto(function|class|exception):: {name}$", page, flags=re.MULTILINE)
