"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

# Before any library reads them: tests never wait for a hub that is not there, and never see the user's plugins.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VITEQUIV_DISABLE_PLUGINS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: pools of threads that outnumber them wait for each other most of the time.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests import checkpoints as builders
from tests import preloaded, programs


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(programs.Plugin(), "vitequiv-programs")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--mutations 2000` for more of what is changed at random."""
    parser.addoption("--mutations", default="200", help="Saved results with one value changed at random.")


class Checkpoints(Mapping[str, str]):
    """Small checkpoints by name, each written when it is first asked for.

    Args:
        root: Directory to write them in.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._specs: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        if name not in builders.BUILDERS:
            raise KeyError(name)
        if name not in self._specs:
            self._specs[name] = builders.build(name, self._root / name)
        return self._specs[name]

    def __iter__(self) -> Iterator[str]:
        return iter(builders.BUILDERS)

    def __len__(self) -> int:
        return len(builders.BUILDERS)


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Checkpoints:
    """Encoder specs such as `beit:/tmp/...` by the names of `tests.checkpoints.BUILDERS`; not to be written to."""
    return Checkpoints(tmp_path_factory.mktemp("checkpoints"))


@pytest.fixture(scope="session")
def quick_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A `vitequiv` that starts in milliseconds, as `tests.preloaded` has it: for what needs streams and directories of
    its own and no interpreter of its own."""
    with preloaded.installed(tmp_path_factory.mktemp("program")) as directory:
        yield directory / "vitequiv"


@pytest.fixture(autouse=True)
def blank_figures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave matplotlib's figures blank, but for tests marked `draws`: drawing is half the time of a small match.

    The files are there, of their size. Processes that tests start draw, so that every page and verb is drawn somewhere.
    """
    if request.node.get_closest_marker("draws") is None:
        monkeypatch.setattr("matplotlib.figure.Figure.draw", lambda self, renderer: None)
