"""A network that fails on one image: classify and statistics complete on the others, with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.runs.test_match import Faulty, scenes
from vitequiv import load_encoder
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.encoders.base import VisionTower
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.names import ClassifierKind
from vitequiv.results.status import Status
from vitequiv.runs.classify import run_classify
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.draw import Candidate
from vitequiv.runs.statistics import run_statistics
from vitequiv.runs.statistics_pairs import StatisticsPlan
from vitequiv.runs.worklist.classify import work_from_paths

__all__ = ["scenes"]  # the fixture: five scenes, the second of them with a red corner
LABELS = ClassifierChoice(ClassifierKind.ZERO_SHOT, ("red star", "blue ring"))


def broken(fault: str):
    encoder = load_encoder("tiny-clip")
    tower = encoder.tower
    return replace(encoder, tower=VisionTower(Faulty(tower.module, fault), tower.preprocessing, text=tower.text))


@pytest.mark.parametrize(("fault", "reason"), [("raises", "red corner"), ("nan", "NaN or infinity")])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_classify(tmp_path, scenes, fault, reason, batch_size):
    encoder = broken(fault)
    out = RunDirectory(tmp_path / "out", "classify")
    out.prepare(["item"], overwrite=False)
    work = work_from_paths([str(path) for path in scenes], None)
    envelope = run_classify(encoder, "item", work, LABELS, batch_size, describe_run("classify", encoder, {}, 0), out)
    assert envelope.status is Status.FAILED
    assert [failure["name"] for failure in envelope.result["failures"]] == ["scene1"]
    assert reason in envelope.message
    assert [row["name"] for row in envelope.result["images"]] == ["scene0", "scene2", "scene3", "scene4"]
    assert (tmp_path / "out/item/classify.json").exists()


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [("raises", ["converged", "failed", "failed"]), ("nan", ["converged", "non_finite", "non_finite"])],
)
def test_statistics(tmp_path, scenes, fault, statuses):
    encoder = broken(fault)
    images = [Candidate(path, None) for path in scenes]
    pairs = [(images[0], images[4]), (images[1], images[4]), (images[2], images[1])]
    plan = StatisticsPlan(pairs, images, 0, False, LABELS, Polyak(), Goal(cosine=0.5), 4)
    out = RunDirectory(tmp_path / "out", "statistics")
    out.prepare(["item"], overwrite=False)
    envelope = run_statistics(encoder, "item", plan, describe_run("statistics", encoder, {}, 0), out)
    assert [pair["status"] for pair in envelope.result["pairs"]] == statuses
    assert envelope.result["cosine"]["after"]["count"] == 1  # what is not finite is in no sample
    assert envelope.result["rates"]["converged"]["trials"] == 3
    assert envelope.result["rates"]["takes_target_class"]["trials"] == 1
    assert (envelope.status is Status.FAILED) == (fault == "raises")
    assert (tmp_path / "out/item/statistics.png").exists()
    assert envelope.to_dict()["result"]["pairs"][1]["cosine"]["after"] is None
