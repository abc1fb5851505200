"""Help is quick and asks nothing of torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from vitequiv._version import __version__

HEAVY = {"torch", "torchvision", "transformers", "open_clip", "timm", "matplotlib", "ray"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["match", "--help"],
        ["models", "--help"],
        ["models", "list"],
        ["--version"],
        ["classify", "--help"],
        ["statistics", "--help"],
        ["report", "--help"],
    ],
)
def test_nothing_heavy_is_imported(arguments, tmp_path):
    code = (
        "import sys\nfrom vitequiv.cli.app import main\n"
        f"sys.argv = ['vitequiv', *{arguments}]\n"
        f"try:\n    main()\nexcept SystemExit as e:\n    print(sorted({HEAVY} & set(sys.modules)), e.code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines()[-1] in {"[] 0", "[] None"}, done.stdout


def test_help_does_not_even_import_numpy():
    code = "import sys, vitequiv.cli.app\nprint(sorted({'numpy', 'PIL', 'pluggy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_help_imports_little(installed):
    """What the start takes is imports: 440 modules are 0.4 s; torch alone would be a thousand more."""
    done = installed("--help", env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.code == 0
    assert "match" in done.out
    imported = [line for line in done.err.splitlines() if line.startswith("import time:")]
    assert 100 < len(imported) < 600


def test_version(installed):
    assert installed("--version").out == f"vitequiv {__version__}\n"


def test_no_arguments_show_the_help(run):
    done = run()
    assert "Usage" in done.out
    assert done.code == 2
