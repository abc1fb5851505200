"""What is imported, and what is said, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "torchvision", "transformers", "open_clip", "timm"]


def run(code: str) -> subprocess.CompletedProcess[str]:
    # Warnings would go to standard error, which must stay empty; errors in imports of other packages are not ours.
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1", "VITEQUIV_DISABLE_PLUGINS": "1"},
    )


def test_listing_the_registry_imports_nothing_heavy():
    done = run(
        "import sys, json; from vitequiv.plugins.kinds import KINDS;"
        "from vitequiv.plugins.registry import load_registry; [load_registry(kind) for kind in KINDS];"
        f"print(json.dumps([name for name in {HEAVY} if name in sys.modules]))"
    )
    assert json.loads(done.stdout) == []


@pytest.mark.slow
# open_clip itself imports timm, transformers and torchvision, and transformers' image utilities import torchvision.
@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("tiny-clip", ["transformers", "open_clip", "timm", "torchvision"]),
        ("beit", ["open_clip", "timm"]),
        ("hf-vit", ["open_clip", "timm"]),
        ("timm", ["open_clip", "transformers"]),
        ("clip", []),
    ],
)
def test_each_adapter_imports_its_own_library_alone_and_is_silent(name, absent, checkpoints):
    spec = checkpoints.get(name, name)
    done = run(
        "import sys, logging; from vitequiv.encoders.load import load_encoder;"
        f"encoder = load_encoder({spec!r});"
        f"imported = [name for name in {absent} if name in sys.modules];"
        "sys.stdout.write(f'{encoder.embedding_dim > 0} {imported} {len(logging.root.handlers)}')"
    )
    assert done.stdout == "True [] 0", done.stderr
    assert done.stderr == ""


def test_libraries_keep_their_own_settings(encoder):
    import logging

    import transformers.utils.logging as library

    before = library.get_verbosity(), library.is_progress_bar_enabled(), list(logging.root.handlers)
    encoder("beit")
    encoder("clip")
    assert before == (library.get_verbosity(), library.is_progress_bar_enabled(), list(logging.root.handlers))
