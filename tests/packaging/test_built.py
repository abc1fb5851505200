"""What is built of the repository: the sdist is all of it, the wheel all of the package, and they say the same."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from vitequiv._version import __version__
from vitequiv.results.schemas import file_name, schema_names

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IGNORED = {".git", ".venv", "dist", "build", "vitequiv-out", "venv"}
PLUGINS = ("vitequiv-imagebind", "vitequiv-methods", "vitequiv-template")
TRIED = ("3.11", "3.12", "3.13")
"""The versions of Python that `.ci/run` looks for."""


def files(folder: Path) -> set[str]:
    """The files below a folder that are not caches or the like, as `.gitignore` has it."""
    found = set()
    for path in folder.iterdir():
        if path.name in IGNORED or path.name.endswith(("_cache", "__pycache__", ".egg-info", ".hypothesis")):
            continue
        found |= files(path) if path.is_dir() else {str(path.relative_to(ROOT))}
    return found


def build(source: Path, out: Path) -> tuple[Path, Path]:
    """Build the sdist, and the wheel from the sdist, with what is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, source],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> tuple[Path, Path]:
    return build(ROOT, tmp_path_factory.mktemp("built"))


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(file.read(name).decode())


def test_the_sdist_is_the_repository(built):
    with tarfile.open(built[0]) as file:
        names = {name.partition("/")[2] for name in file.getnames()}
    assert names - {"PKG-INFO"} == files(ROOT)


def test_the_wheel_is_the_package(built):
    with zipfile.ZipFile(built[1]) as file:
        names = set(file.namelist())
    about = f"vitequiv-{__version__}.dist-info/"
    assert {name for name in names if not name.startswith(about)} == files(ROOT / "vitequiv")
    schemas = {f"vitequiv/results/schemas/{file_name(name)}" for name in schema_names()}
    assert schemas | {"vitequiv/py.typed", f"{about}licenses/LICENSE", f"{about}entry_points.txt"} <= names
    weights = sorted(name for name in names if name.endswith(".safetensors"))
    families = ("beit", "deit", "swin", "vitmae", "vitmsn")
    assert weights == [
        "vitequiv/tiny/tiny-clip.safetensors",
        *(f"vitequiv/tiny/zoo/{name}/model.safetensors" for name in families),
    ]


def test_the_version_is_in_one_place_and_the_others_agree(built):
    assert "version" in PROJECT["dynamic"]
    assert metadata(built[1])["Version"] == __version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    # A version that was released stands right below; the first one has nothing below it yet.
    assert headings[1:2] in ([__version__], [])


def test_only_what_was_tried_is_claimed(built):
    about = metadata(built[1])
    assert about["Requires-Python"] == ">=3.11"
    python = [
        c.removeprefix("Programming Language :: Python :: ")
        for c in about.get_all("Classifier")
        if c.startswith("Programming Language")
    ]
    assert python == ["3", "3 :: Only", *TRIED]
    for plugin in PLUGINS:
        source = tomllib.loads((ROOT / "plugins" / plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert source["requires-python"] == about["Requires-Python"]
    assert about["License-Expression"] == PROJECT["license"]


@pytest.mark.parametrize("name", PLUGINS)
def test_the_plugins_can_be_built(name, tmp_path):
    sdist, wheel = build(ROOT / "plugins" / name, tmp_path)
    package = name.replace("-", "_")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        entry = file.read(next(entry for entry in names if entry.endswith("entry_points.txt"))).decode()
    assert f"{package}.plugin" in entry
    sources = {path.name for path in (ROOT / "plugins" / name / "src" / package).glob("*.py")}
    assert {name.partition("/")[2] for name in names if name.startswith(f"{package}/")} == sources
    with tarfile.open(sdist) as file:
        assert any(name.endswith("/LICENSE") for name in file.getnames())
