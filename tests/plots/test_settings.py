"""Figures are the same whatever matplotlib is set to, and one that cannot be drawn costs nothing else."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from PIL import Image

import vitequiv.plots
from tests.cli.conftest import CAT, COFFEE
from vitequiv.plots.drawing import figure_png
from vitequiv.plots.match import trajectory_png
from vitequiv.plots.settings import fixed_settings
from vitequiv.results.match import TrajectoryRow

ROWS = [TrajectoryRow(i, 1 / (i + 1), 0.1 * i, 0.01 * i) for i in range(5)]
HOSTILE = {
    "text.usetex": True,
    "figure.dpi": 1e5,
    "savefig.dpi": 1e5,
    "font.size": 1e4,
    "figure.figsize": [900, 900],
    "axes.grid": True,
    "lines.linewidth": 1e6,
    "savefig.bbox": "tight",
    "savefig.format": "pdf",
    "axes.prop_cycle": matplotlib.cycler(color=["red"]),
    "path.sketch": (9.0, 100.0, 2.0),
    "image.cmap": "jet",
}
RC = "text.usetex: True\nfigure.dpi: 100000\nsavefig.dpi: 100000\nfont.size: 9999\nno.such.key: 1\nbackend: module://evil\n"


def drawers() -> dict[str, object]:
    """Every function of the room that makes a PNG of a figure."""
    found = {}
    for module in pkgutil.iter_modules(vitequiv.plots.__path__, "vitequiv.plots."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            if name.endswith("_png") and not name.startswith("_"):
                found[name] = function
    return found


def test_every_figure_is_drawn_under_fixed_settings():
    found = drawers()
    assert len(found) >= 10
    for name, function in found.items():
        source = inspect.getsource(inspect.unwrap(function))
        assert "fixed_settings()" in source, f"{name} draws under the settings of whoever calls"


@pytest.mark.parametrize("key", list(HOSTILE))
def test_a_setting_changes_no_figure_and_stays_as_it_was(key):
    usual = trajectory_png(ROWS, "a", 0.3)
    with matplotlib.rc_context({key: HOSTILE[key]}):
        assert trajectory_png(ROWS, "a", 0.3) == usual
        assert matplotlib.rcParams[key] == HOSTILE[key]
    with fixed_settings():
        assert matplotlib.rcParams[key] == matplotlib.rcParamsDefault[key]


def test_a_very_long_text_is_cut():
    with fixed_settings():
        figure = matplotlib.figure.Figure(figsize=(4, 3))
        figure.subplots().set_title("x" * 1_000_000, parse_math=False)
    assert figure_png(figure, dpi=50).startswith(b"\x89PNG")


VERBS = {
    "match": (("match", CAT, COFFEE, "--cosine", "0.5", "--max-passes", "60"), "trajectory.png", "matched"),
    "jacobian": (("jacobian", CAT, "--method", "topk", "--k", "1"), "spectrum.png", "tensors"),
    "ldlc": (("ldlc", CAT, "--directions", "random", "--count", "1", "--measured", "1"), "ldlc.png", "tensors"),
    "interpolate": (("interpolate", CAT, COFFEE, "--steps", "3"), "curve.png", "animation"),
    "classify": (("classify", CAT, "--labels", "red star,blue ring"), "matrix.png", "tensors"),
    "statistics": (("statistics", "photos", "--count", "2", "--cosine", "0.5"), "statistics.png", "pairs"),
}


@pytest.mark.parametrize(
    ("verb", "error"),
    [
        *((verb, RuntimeError("no such font")) for verb in VERBS),
        ("match", MemoryError()),
        ("match", ImportError("matplotlib is broken")),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_a_note(run, tmp_path, photos, monkeypatch, verb, error):
    arguments, lost, kept = VERBS[verb]

    def fail(*_: object, **__: object) -> bytes:
        raise error

    for name in ("drawing", "match", "jacobian", "ldlc", "paths", "frames", "classify", "statistics"):
        monkeypatch.setattr(f"vitequiv.plots.{name}.figure_png", fail, raising=False)
    done = run(*arguments, "--out", "out", "--format", "json", "--quiet")
    assert (done.code, done.err) == (0, "")
    (line,) = done.lines()
    folder = tmp_path / "out" / line["item"]
    assert line["status"] == "converged"
    assert any(lost in note and "could not be drawn" in note for note in line["notes"])
    assert lost not in line["artifacts"].values()
    assert not (folder / lost).exists()
    for name in ("tensors", kept):
        assert (folder / line["artifacts"][name]).exists()
    assert json.loads((folder / f"{verb}.json").read_text()) == line
    # It is said to people too, the report goes without it, and it is kept.
    done = run(*arguments, "--out", "out", "--resume", "--quiet")
    assert done.code == 0
    assert "could not be drawn" in done.out
    assert json.loads((folder / f"{verb}.json").read_text()) == line
    if verb in {"match", "statistics", "classify"}:
        done = run("report", "out", "--format", "json")
        assert done.code == 0, done.err
        assert (tmp_path / "out/report.html").exists()
        assert sum(done.lines()[0][name] for name in ("matches", "classifications", "statistics")) == 1
    monkeypatch.undo()


def test_an_old_figure_does_not_stand_for_a_new_one(run, tmp_path, monkeypatch):
    arguments = (*VERBS["match"][0], "--out", "out", "--quiet")
    assert run(*arguments).code == 0
    assert (tmp_path / "out/cat_to_coffee/trajectory.png").exists()

    def fail(*_: object) -> bytes:
        raise ValueError("no")

    monkeypatch.setattr("vitequiv.plots.match.figure_png", fail)
    assert run(*arguments, "--overwrite").code == 0
    assert not (tmp_path / "out/cat_to_coffee/trajectory.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("place", ["directory", "MATPLOTLIBRC", "MPLCONFIGDIR"])
@pytest.mark.parametrize("content", [RC.encode(), b"\xff\xfe\0bad"], ids=["hostile", "no text"])
def test_a_matplotlibrc_changes_nothing(tmp_path, place, content):
    """The same figure, byte for byte, no latex, no warning, no other program."""
    folder = tmp_path / "rc"
    folder.mkdir()
    (tmp_path if place == "directory" else folder).joinpath("matplotlibrc").write_bytes(content)
    (tmp_path / "bin").mkdir()
    for program in ("latex", "dvipng", "kpsewhich"):
        fake = tmp_path / "bin" / program
        fake.write_text(f"#!/bin/sh\ntouch '{tmp_path}/started'\n")
        fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    if place != "directory":
        environment[place] = str(folder)
    done = subprocess.run(
        [sys.executable, "-m", "vitequiv", *map(str, VERBS["match"][0]), "--out", "out", "--format", "json", "--quiet"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    line = json.loads(done.stdout)
    assert "notes" not in line
    assert not (tmp_path / "started").exists()
    with Image.open(tmp_path / "out/cat_to_coffee/trajectory.png") as drawn:
        assert drawn.size == (1200, 384)
        assert np.asarray(drawn.convert("L")).mean() > 200


def test_whoever_imports_matplotlib_first_keeps_the_settings(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 31\n")
    for code, size in (
        ("import matplotlib, vitequiv.plots.match", "31.0"),
        ("import os; e = os.path.exists; import vitequiv.plots.match, matplotlib; assert os.path.exists is e", "10.0"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", f"{code}; print(matplotlib.rcParams['font.size'])"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout.strip() == size
