"""Running a page's `sh` blocks as the reader would, in Bash, and comparing what they print with the page."""

from __future__ import annotations

import os
import re
import subprocess

from sybil import Example

from tests.docs.exceptions import ALTERNATIVES, SMALLER
from tests.docs.output import agrees

OUTPUT = re.compile(r"\s*^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FRESH = 'vitequiv() { rm -rf vitequiv-out; command vitequiv "$@"; }\n'


def run(example: Example) -> None:
    """Run one block; a `text` block right below it is its standard output, as `agrees` compares it."""
    page, folder = example.namespace["_page"], example.namespace["_folder"]
    code = str(example.parsed)
    for old, new in SMALLER[page].words if page in SMALLER else ():
        code = code.replace(old, new)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", (FRESH if page in ALTERNATIVES else "") + code],
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join([str(example.namespace["_bin"]), os.environ["PATH"]]),
            "HOME": str(folder),
            "HF_HOME": str(folder / "hub-cache"),
            "HF_HUB_OFFLINE": "1",
            "COLUMNS": "160",
            "OMP_NUM_THREADS": "1",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    below = OUTPUT.match(example.document.text, example.region.end)
    if below:
        assert agrees(below[1], done.stdout), f"printed:\n{done.stdout}\n{done.stderr}"
