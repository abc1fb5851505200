"""The package opens no pickle and runs no text: every call that could is looked for in its source.

Plugins, also those of this repository, are packages of their own: see SECURITY.md.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "vitequiv").rglob("*.py"), *(ROOT / "plugins").glob("*/src/**/*.py")])
RESTRICTED = ("vitequiv/matching/lpips.py", "plugins/vitequiv-imagebind/src/vitequiv_imagebind/files.py")
"""LPIPS's weights and ImageBind are published as files of torch.save: one call each, by torch's restricted reader."""
MODULES = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "subprocess", "yaml"}
CALLS = {
    "torch.load",
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "pickle.load",
    "pandas.read_pickle",
}


def faults(source: str) -> list[str]:
    """Names of what may not be there."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            found.append(node.module)
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in CALLS or keywords.get("allow_pickle") == "True" or keywords.get("weights_only") == "False":
                found.append(name)
            if keywords.get("trust_remote_code", "False") != "False" or keywords.get("shell") == "True":
                found.append(name)
    return found


def test_every_source():
    found = {path.relative_to(ROOT).as_posix(): faults(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert len(found) > 300
    assert {name: calls for name, calls in found.items() if calls} == {name: ["torch.load"] for name in RESTRICTED}


@pytest.mark.parametrize("path", RESTRICTED)
def test_the_exceptions_are_the_restricted_reader(path):
    calls = [
        node
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load"
    ]
    assert [{word.arg: ast.unparse(word.value) for word in call.keywords}["weights_only"] for call in calls] == ["True"]


@pytest.mark.parametrize(
    "source",
    ["import pickle", "from joblib import load", "torch.load(p)", "np.load(p, allow_pickle=True)", "eval('1')",
     "f(trust_remote_code=True)", "f(trust_remote_code=x)", "timm.f(weights_only=False)", "run(x, shell=True)"],
)  # fmt: skip
def test_the_search_finds(source):
    assert faults(source)
