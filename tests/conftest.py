"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

# Before any library reads them: tests never wait for a hub that is not there, and never see the user's plugins.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VITEQUIV_DISABLE_PLUGINS", "1")

import pytest

from tests import checkpoints as builders


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
