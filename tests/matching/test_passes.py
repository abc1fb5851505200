"""How many passes a match takes, and how much it changes: counts on real photographs, not times.

A small version of `tests.benchmarks.match_peers`, whose table is in `docs/explanation/match-benchmark.md`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.match import measure
from tests.loaded import loaded
from vitequiv.images.decode import load_image
from vitequiv.matching.names import DEFAULT_SOLVER
from vitequiv.matching.solvers import make_solver

PHOTOS = Path(__file__).parents[2] / "examples/photos"


@pytest.mark.parametrize("spec", ["tiny-clip", "tiny-beit"])
@pytest.mark.parametrize(("source", "target"), [("cat.png", "coffee.png"), ("coffee.png", "cat.png")])
def test_the_default_solver_is_fast_and_its_change_small(spec, source, target):
    encoder = loaded(spec)
    x, t = (encoder.preprocess(load_image(PHOTOS / name).image)[None] for name in (source, target))
    found = measure(encoder, x, t, make_solver(DEFAULT_SOLVER), 150)
    small_steps = measure(encoder, x, t, make_solver("gd", 1e-3), 1500)
    # Measured: 17 to 25 and 33 to 93 passes, at 0.98 to 1.14 of the length; the rest is room for other BLAS libraries.
    assert found[0.95][0] <= 35
    assert found[0.99][0] <= 120
    assert found[0.99][0] < small_steps[0.99][0] / 3
    assert found[0.95][1] <= 1.25 * small_steps[0.95][1]
    assert found[0.99][1] <= 1.15 * small_steps[0.99][1]
