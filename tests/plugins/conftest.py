"""A throw-away environment into which plugins are installed by pip, and from which they are removed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees the packages of the one that runs the tests, and nothing of the user's."""

    folder: Path

    @property
    def site(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder), "platbase": str(self.folder)}))

    @property
    def variables(self) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.defpath}",
            "HOME": str(self.folder),
            "TORCH_HOME": str(self.folder / "torch"),
            "PYTHONPATH": str(ROOT),  # the vitequiv under test, wherever the tests' own environment has it from
            "PYTHONPYCACHEPREFIX": f"{self.folder}-pycache",  # compiled once for all commands, and nothing in the tree
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "2"),
            "HF_HUB_OFFLINE": "1",
            "NO_COLOR": "1",
            # Nothing is fetched: hatchling and all dependencies are there already.
            "PIP_NO_BUILD_ISOLATION": "0",  # which is how pip spells "no isolation"
            "PIP_NO_DEPS": "1",
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }

    def run(self, *command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=cwd or self.folder,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Environment:
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    made = Environment(folder)
    outer = sysconfig.get_path("purelib")
    (made.site / "outer.pth").write_text(f"import site; site.addsitedir({outer!r})\n")
    script = folder / "bin" / "vitequiv"
    script.write_text(f"#!{folder / 'bin' / 'python'}\nfrom vitequiv.cli.app import main\n\nmain()\n")
    pip = folder / "bin" / "pip"
    pip.write_text(f"#!{folder / 'bin' / 'python'}\nimport runpy\n\nrunpy.run_module('pip', run_name='__main__')\n")
    for file in (script, pip):
        file.chmod(0o755)
    return made
