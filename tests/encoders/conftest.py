"""Photos and loaded encoders for the tests of the adapters."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.loaded import loaded
from vitequiv.encoders.base import Encoder

PHOTOS = Path(__file__).parents[2] / "examples" / "photos"


@pytest.fixture(scope="session")
def cat() -> Image.Image:
    """A photo, wider than high (scikit-image's chelsea)."""
    return Image.open(PHOTOS / "cat.png").convert("RGB")


@pytest.fixture(scope="session")
def encoder(checkpoints) -> Callable[..., Encoder]:
    """Load a variant of `tests.checkpoints` (or a spec) once for all tests: `encoder("beit", "mean")`."""

    def load(name: str, readout: str | None = None, dtype: torch.dtype = torch.float32) -> Encoder:
        return loaded(checkpoints.get(name, name), readout=readout, dtype=dtype)

    return load


@pytest.fixture
def directory(checkpoints) -> Callable[[str], Path]:
    """The directory of a variant."""
    return lambda name: Path(checkpoints[name].partition(":")[2])


@pytest.fixture
def copy(directory, tmp_path) -> Callable[[str], Path]:
    """A copy of a variant's directory, to be spoilt."""

    def copy(name: str) -> Path:
        return Path(shutil.copytree(directory(name), tmp_path / name))

    return copy
