"""docs/how-to/write-a-plugin.md, followed to the letter in a fresh environment."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.plugins.conftest import ROOT

PAGE = (ROOT / "docs" / "how-to" / "write-a-plugin.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
CODE = [text for language, text in BLOCKS if language in {"toml", "python"}]
FILES = {text.splitlines()[0].removeprefix("# "): text for text in CODE if text.startswith("# ")}
EXCERPTS = [text for text in CODE if not text.startswith("# ")]
METHODS = ROOT / "plugins" / "vitequiv-methods" / "src" / "vitequiv_methods"
COMMANDS = [text for language, text in BLOCKS if language == "sh"]


def test_the_page_has_only_files_and_commands():
    assert {language for language, _ in BLOCKS} == {"toml", "python", "sh"}
    assert set(FILES) == {"pyproject.toml", "vitequiv_mine.py", "vitequiv_mine_network.py", "train.py", "test_mine.py"}
    said = "".join(COMMANDS)
    verbs = ("match", "jacobian", "ldlc", "interpolate", "classify")
    assert [verb for verb in verbs if f"vitequiv {verb} " not in said] == []


def test_the_other_hooks_are_shown_as_the_template_has_them():
    """Its tests run that code; here it is the same."""
    template = "".join((METHODS / name).read_text(encoding="utf-8") for name in ("momentum.py", "plugin.py"))
    assert len(EXCERPTS) == 7
    assert [text for text in EXCERPTS if text not in template] == []
    for hook in ("solvers", "directions", "paths"):
        assert sum(f"def vitequiv_register_{hook}(" in text for text in EXCERPTS) == 1


@pytest.mark.slow
@pytest.mark.needs_program("bash")
def test_following_it(environment, tmp_path):
    before = environment.files()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    for name in ("cat.png", "coffee.png"):
        shutil.copy(ROOT / "examples" / "photos" / name, tmp_path / name)
    outputs = []
    for block in COMMANDS:
        done = environment.run("bash", "-euo", "pipefail", "-c", block, cwd=tmp_path)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    tested, listed, *_ = outputs
    assert "17 passed" in tested
    assert re.search(r"^mine .*vitequiv-mine\s*$", listed, flags=re.MULTILINE)
    for verb in ("match", "jacobian", "ldlc", "interpolate", "classify"):
        assert [*(tmp_path / "vitequiv-out").rglob(f"{verb}.json")], verb
    left = environment.files() - before
    assert {path for path in left if not path.startswith((".config", ".cache"))} == set()
