"""A batch in which one image makes the model fail: the others complete, and the failure has its reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from vitequiv import load_encoder
from vitequiv.encoders.base import VisionTower
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.status import Status
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.match import run_matches
from vitequiv.runs.match_work import MatchPlan, noise
from vitequiv.runs.worklist.pairs import named
from vitequiv.tiny.scenes import Split, sample, scene_rng


class Faulty(torch.nn.Module):
    """A network that cannot stand a red corner."""

    def __init__(self, inner: torch.nn.Module, fault: str) -> None:
        super().__init__()
        self.inner = inner
        self.fault = fault

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red = (x[:, 0, :4, :4] > 0.9).flatten(1).all(1) & (x[:, 1, :4, :4] < -0.9).flatten(1).all(1)
        if self.fault == "raises" and red.any():
            raise RuntimeError("red corner\nand a second line")
        return torch.where(red[:, None], torch.nan, 1.0) * self.inner(x) if self.fault == "nan" else self.inner(x)


@pytest.fixture
def scenes(tmp_path) -> list[Path]:
    images = sample(5, scene_rng(Split.HELD_OUT, 3)).images.copy()
    images[1, :4, :4] = (255, 0, 0)
    paths = []
    for i, image in enumerate(images):
        paths.append(tmp_path / f"scene{i}.png")
        Image.fromarray(image).save(paths[-1])
    return paths


@pytest.mark.parametrize(("fault", "status"), [("raises", Status.FAILED), ("nan", Status.NON_FINITE)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_one_bad_image_of_a_batch(tmp_path, scenes, fault, status, batch_size):
    encoder = load_encoder("tiny-clip")
    broken = replace(encoder, tower=VisionTower(Faulty(encoder.tower.module, fault), encoder.preprocessing))
    pairs = named([(source, scenes[4], None) for source in scenes[:4]])
    out = RunDirectory(tmp_path / "out", "match")
    out.prepare([pair.name for pair in pairs], overwrite=False)
    plan = MatchPlan(Polyak(), Goal(cosine=0.9), batch_size, seed=0)
    envelopes = list(run_matches(broken, pairs, plan, describe_run("match", broken, {}, 0), out))
    assert [envelope.item for envelope in envelopes] == [pair.name for pair in pairs]
    assert [envelope.status for envelope in envelopes] == [Status.CONVERGED, status, Status.CONVERGED, Status.CONVERGED]
    if fault == "raises":
        assert envelopes[1].message == "The model tiny-clip failed on this pair: red corner"
        assert not (out.path / pairs[1].name).exists()
    assert (out.path / pairs[3].name / "match.json").exists()


def test_envelopes_come_in_the_order_of_the_pairs(tmp_path, scenes):
    encoder = load_encoder("tiny-clip")
    sources = [scenes[0], tmp_path / "gone.png", scenes[2], tmp_path / "gone2.png"]
    pairs = named([(source, scenes[4], None) for source in sources])
    out = RunDirectory(tmp_path / "out", "match")
    out.prepare([pair.name for pair in pairs], overwrite=False)
    plan = MatchPlan(Polyak(), Goal(cosine=0.5), 4, seed=0)
    envelopes = list(run_matches(encoder, pairs, plan, describe_run("match", encoder, {}, 0), out))
    assert [envelope.item for envelope in envelopes] == [pair.name for pair in pairs]
    assert [envelope.status is Status.FAILED for envelope in envelopes] == [False, True, False, True]


def test_noise_depends_on_the_seed_and_the_item_alone():
    encoder = load_encoder("tiny-clip")
    assert torch.equal(noise(encoder, 0, "a"), noise(encoder, 0, "a"))
    assert not torch.equal(noise(encoder, 0, "a"), noise(encoder, 1, "a"))
    assert not torch.equal(noise(encoder, 0, "a"), noise(encoder, 0, "b"))
    levels = noise(encoder, 0, "a").numpy() * 255
    # On the 8-bit lattice: float32 division and product by 255 leave 1e-5.
    assert np.abs(levels - levels.round()).max() < 1e-4
