"""Figures and animations by their structure: size, frames, and that something is drawn."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

import vitequiv
from tests.loaded import loaded
from vitequiv.paths.named import NamedPath
from vitequiv.plots.frames import BAR, BLUE, evenly, path_gif, strip_png
from vitequiv.plots.paths import curve_png

pytestmark = pytest.mark.draws


@pytest.fixture(scope="module")
def results():
    encoder = loaded("tiny-clip")
    start, end = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    found = {
        "linear": vitequiv.interpolate(encoder, start, end, path="linear", steps=9),
        "matched": vitequiv.interpolate(encoder, start, end, path="matched", steps=9, cosine=0.8),
        "null": vitequiv.interpolate(encoder, start, end, path="null", steps=3),
    }
    wipe = NamedPath("wipe", "", lambda request: [request.start, (request.start + request.end) / 2, request.end])
    found["mine"] = vitequiv.interpolate(encoder, start, end, path=wipe, steps=3)
    found["random"] = vitequiv.interpolate(encoder, start, path="null", steps=3)
    found["cut"] = vitequiv.interpolate(encoder, start, end, path="matched", match="end", max_passes=1)
    found["still"] = vitequiv.interpolate(encoder, start, end, path="null", max_passes=1)
    return found


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def is_drawn(image: Image.Image) -> bool:
    return len(np.unique(np.asarray(image.convert("L")))) > 20


KINDS = ["linear", "matched", "null", "mine", "random", "cut", "still"]


@pytest.mark.parametrize("name", KINDS)
def test_the_curve_has_three_panels(results, name):
    image = opened(curve_png(results[name], "a $title_ — of mine", 0.5))
    assert image.format == "PNG"
    assert image.size == (1440, 456)
    for panel in range(3):
        assert is_drawn(image.crop((480 * panel, 40, 480 * (panel + 1), 456)))


@pytest.mark.parametrize("name", KINDS)
def test_the_strip_has_a_frame_a_point_and_one_for_an_end_not_reached(results, name):
    image = opened(strip_png(results[name], "a $title_"))
    end, last = results[name].end, results[name].pixels[-1]
    frames = min(len(results[name].points), 7) + (end is not None and not torch.equal(end, last))
    assert image.width == pytest.approx(240 * frames, abs=1)
    assert is_drawn(image)


@pytest.mark.parametrize("name", KINDS)
def test_the_animation_has_a_frame_a_point_and_loops(results, name):
    image = opened(path_gif(results[name]))
    assert image.format == "GIF"
    assert image.size == (256, 256 + BAR)
    assert getattr(image, "n_frames", 1) == len(results[name].points)
    if len(results[name].points) > 1:
        assert image.info["loop"] == 0
        image.seek(image.n_frames - 1)
        assert image.info["duration"] == 1500
    bar = np.asarray(image.convert("RGB"))[-1]
    # The palette of 256 colours may move a colour a little.
    blue = (np.abs(bar.astype(int) - BLUE).max(axis=1) < 40).mean()
    assert blue == pytest.approx(results[name].points[-1].t, abs=0.01)


def test_frames_are_chosen_evenly_over_the_way(results):
    points = results["linear"].points
    assert evenly(points, 20) == list(range(9))
    assert evenly(points, 3) == [0, 4, 8]
    assert evenly(points, 2) == [0, 8]
