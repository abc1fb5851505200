"""Scenes, captions and the tokenizer are light: they must not pull in torch."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["scenes", "captions", "vocabulary", "batches", "checkpoint", "evaluation"])
def test_import_leaves_torch_alone(module: str) -> None:
    code = f"import sys, vitequiv.tiny.{module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("absent", ["torchvision", "open_clip", "transformers", "timm"])
def test_the_model_needs_torch_alone(absent: str) -> None:
    code = f"import sys, vitequiv.tiny.model; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
