"""A saved file that an official processor does not see as matched is no success."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.loaded import loaded
from vitequiv.encoders.official import OfficialProcessor
from vitequiv.errors import ModelError
from vitequiv.matching.goal import Goal
from vitequiv.matching.names import SpaceName
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.status import Status
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.match import run_matches
from vitequiv.runs.match_work import MatchPlan
from vitequiv.runs.worklist.items import Pair
from vitequiv.tiny.scenes import Split, sample, scene_rng


@pytest.fixture
def pair(tmp_path) -> Pair:
    paths = []
    for i, image in enumerate(sample(2, scene_rng(Split.HELD_OUT, 3)).images):
        paths.append(tmp_path / f"scene{i}.png")
        Image.fromarray(image).save(paths[-1])
    return Pair("one", *paths)


def envelope_of(tmp_path: Path, pair: Pair, process, goal: Goal, space: SpaceName = SpaceName.MODEL):
    encoder = loaded("tiny-clip")
    processor = OfficialProcessor("Theirs", "library", "pil", lambda image: process(encoder, image))
    encoder = replace(encoder, tower=replace(encoder.tower, processors=lambda: (processor,)))
    out = RunDirectory(tmp_path / "out", "match")
    out.prepare(["one"], overwrite=False)
    plan = MatchPlan(Polyak(), goal, 1, seed=0, space=space)
    (envelope,) = run_matches(encoder, [pair], plan, describe_run("match", encoder, {}, 0), out)
    return envelope


def normal(encoder, image):
    return encoder.normalise(encoder.preprocess(image)[None])[0]


def mirrored(encoder, image):
    return normal(encoder, ImageOps.flip(image))


def test_a_processor_that_agrees(tmp_path, pair):
    envelope = envelope_of(tmp_path, pair, normal, Goal(cosine=0.9))
    assert envelope.status is Status.CONVERGED
    ours, theirs = envelope.result["verified"]
    assert (ours["library"], theirs["processor"]) == ("vitequiv", "Theirs")
    assert ours["cosine"] == pytest.approx(theirs["cosine"], abs=1e-6)
    assert ours["cosine"] == envelope.result["cosine"]["saved"]


def test_a_processor_that_does_not(tmp_path, pair):
    envelope = envelope_of(tmp_path, pair, mirrored, Goal(cosine=0.9))
    assert envelope.status is Status.FAILED
    cosine = envelope.result["verified"][1]["cosine"]
    assert cosine < 0.9 <= envelope.result["cosine"]["saved"]
    assert envelope.message == (
        "The match was found but does not hold through Theirs (library, pil): "
        f"the reloaded file has cosine {cosine:.4f}."
    )


def test_a_match_that_was_not_found_keeps_its_reason(tmp_path, pair):
    envelope = envelope_of(tmp_path, pair, mirrored, Goal(cosine=0.99, max_passes=5))
    assert envelope.status is Status.BUDGET_EXHAUSTED
    assert len(envelope.result["verified"]) == 2


def test_a_processor_that_breaks_fails_the_item_in_a_sentence(tmp_path, pair):
    def broken(encoder, image):
        raise ModelError("An image in the processor Theirs cannot be loaded: no.")

    envelope = envelope_of(tmp_path, pair, broken, Goal(cosine=0.5))
    assert envelope.status is Status.FAILED
    assert envelope.message == "An image in the processor Theirs cannot be loaded: no."


def test_a_budget_that_a_processor_used_up_is_explained(tmp_path, pair):
    """In image space the loop goes on for its sake; here in vain."""
    envelope = envelope_of(tmp_path, pair, mirrored, Goal(cosine=0.8, max_passes=80), SpaceName.IMAGE)
    assert envelope.status is not Status.CONVERGED
    assert envelope.result["cosine"]["saved"] >= 0.8 > envelope.result["verified"][1]["cosine"]
    assert (
        "met through vitequiv's own preprocessing, but through Theirs (library, pil) the cosine is" in envelope.message
    )
