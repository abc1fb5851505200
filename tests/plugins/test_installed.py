"""The plugins of this repository, installed by pip: listed, used by every verb, and gone without a trace."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.plugins.conftest import ROOT, Environment

pytestmark = pytest.mark.slow
PLUGINS = {"phash": "vitequiv-template", "imagebind": "vitequiv-imagebind"}
METHODS = {"momentum": "solver", "pixels": "group of directions", "wipe": "path"}
ALL = (*PLUGINS.values(), "vitequiv-methods")
DATA = ROOT / "plugins" / "vitequiv-imagebind" / "tests" / "data"
BARE: dict[Path, set[str]] = {}


@pytest.fixture(scope="module")
def plugged(environment) -> Environment:
    BARE[environment.folder] = environment.files()
    done = environment.run("pip", "install", "--quiet", *(ROOT / "plugins" / name for name in ALL))
    assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A working directory with two photos and a small checkpoint."""
    folder = tmp_path_factory.mktemp("work")
    for name in ("cat", "coffee"):
        Image.open(ROOT / "examples" / "photos" / f"{name}.png").convert("RGB").resize((260, 240)).save(
            folder / f"{name}.png"
        )
    for name in ("tiny.safetensors", "tiny.json"):
        shutil.copy(DATA / name, folder / name)
    return folder


def owners(environment: Environment) -> dict[str, str]:
    done = environment.run("vitequiv", "models", "list", "--format", "json")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert not [record for record in records if "error" in record]
    return {record["name"]: record["owner"] for record in records}


def test_they_are_listed_with_their_owners(plugged):
    found = owners(plugged)
    assert {name: found[name] for name in PLUGINS} == PLUGINS
    assert {owner for name, owner in found.items() if name not in PLUGINS} == {"vitequiv"}


def methods(environment: Environment) -> dict[str, dict[str, str]]:
    """What is listed of vitequiv-methods, by name."""
    done = environment.run("vitequiv", "plugins", "list", "--format", "json")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert not [record for record in records if "error" in record]
    return {record["name"]: record for record in records if record["owner"] == "vitequiv-methods"}


def test_the_other_kinds_are_listed_too(plugged):
    found = methods(plugged)
    assert {name: record["kind"] for name, record in found.items()} == METHODS
    assert {record["version"] for record in found.values()} == {"0.1.0"}


IMAGEBIND = ["--format", "json", "--model", "imagebind:tiny.safetensors"]
COMMANDS = {
    "match": ["cat.png", "coffee.png", *IMAGEBIND, "--cosine", "0.999"],  # 0.980 to begin with
    "jacobian": ["cat.png", *IMAGEBIND, "--method", "topk", "--k", "4"],
    "ldlc": ["cat.png", *IMAGEBIND, "--count", "16", "--measured", "2", "--along", "1", "--epsilon", "1"],
    "interpolate": ["cat.png", "coffee.png", *IMAGEBIND, "--steps", "5"],
    "classify": ["cat.png", "coffee.png", *IMAGEBIND, "--labels", "cat,cup of coffee"],
}
ONE_AFTER_THE_OTHER = """
import json, sys
from vitequiv.cli.app import main

for verb, arguments in json.loads(sys.argv[1]).items():
    sys.argv = ["vitequiv", verb, *arguments]
    try:
        main()
    except SystemExit as end:
        sys.stdout.flush()
        if end.code:
            raise
"""
"""The command's own entry point; importing torch and transformers once in place of four times."""


def test_a_command_with_imagebind(plugged, folder):
    done = plugged.run("vitequiv", "classify", *COMMANDS["classify"], cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "CC BY-NC 4.0" in done.stderr
    (record,) = map(json.loads, done.stdout.splitlines())
    assert (record["status"], record["model"]["family"], record["model"]["readout"]) == (
        "converged",
        "imagebind",
        "pooler",
    )
    assert record["result"]["classifier"]["kind"] == "zero-shot"
    assert [sum(row) for row in record["result"]["probabilities"]] == pytest.approx([1, 1])


def test_every_other_verb_with_imagebind(plugged, folder):
    others = {verb: arguments for verb, arguments in COMMANDS.items() if verb != "classify"}
    done = plugged.run("python", "-c", ONE_AFTER_THE_OTHER, json.dumps(others), cwd=folder)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["schema"] for record in records] == [f"vitequiv/{verb}/1" for verb in others]
    assert {record["status"] for record in records} == {"converged"}
    assert {record["model"]["family"] for record in records} == {"imagebind"}
    assert "CC BY-NC 4.0" not in done.stderr  # it was said once
    assert records[0]["result"]["cosine"]["saved"] >= 0.999


QUICK = ["--format", "json", "--out"]
WITH_METHODS = {
    "match": ["cat.png", "coffee.png", "--solver", "momentum", "--cosine", "0.9", *QUICK, "m"],
    "ldlc": ["cat.png", "--directions", "pixels", "--count", "4", "--measured", "4", "--epsilon", "0.1", *QUICK, "l"],
    "interpolate": ["cat.png", "coffee.png", "--path", "wipe", "--steps", "5", *QUICK, "i"],
}


def test_their_verbs_with_the_methods(plugged, folder):
    done = plugged.run("python", "-c", ONE_AFTER_THE_OTHER, json.dumps(WITH_METHODS), cwd=folder)
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["status"] for record in records} == {"converged"}
    used = [plugin for record in records for plugin in record["environment"]["plugins"]]
    assert [(plugin["name"], plugin["kind"]) for plugin in used] == list(METHODS.items())
    assert {(plugin["owner"], plugin["version"]) for plugin in used} == {("vitequiv-methods", "0.1.0")}


def test_weights_that_are_not_here_are_not_fetched_unasked(plugged, folder):
    done = plugged.run("vitequiv", "models", "check", "imagebind", cwd=folder)
    assert done.returncode == 4
    assert "VITEQUIV_IMAGEBIND_LICENCE=CC-BY-NC-4.0" in " ".join(done.stderr.split())


def test_removed_they_leave_no_trace(plugged):
    done = plugged.run("pip", "uninstall", "--quiet", "--yes", *ALL)
    assert done.returncode == 0, done.stderr
    assert not owners(plugged).keys() & PLUGINS.keys()
    assert methods(plugged) == {}
    left = plugged.files() - BARE[plugged.folder]
    assert {path for path in left if not path.startswith(("torch", ".config", ".cache"))} == set()
