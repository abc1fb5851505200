"""Verbs that do one item at a time put many images of it together: fewer where they do not fit, with one line each."""

from __future__ import annotations

import logging

import pytest
import torch

import vitequiv
from tests.runs.narrow import narrow_encoder
from tests.runs.test_match import scenes
from vitequiv import batching
from vitequiv.batching import BatchSize
from vitequiv.classification.choice import ClassifierChoice
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
from vitequiv.runs.target_choice import MeanTarget
from vitequiv.runs.targets import make_target
from vitequiv.runs.worklist.classify import work_from_paths

__all__ = ["scenes"]  # the fixture: five scenes, the second of them with a red corner
LABELS = ClassifierChoice(ClassifierKind.ZERO_SHOT, ("red star", "blue ring"))
ERRORS = [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]


def classified(encoder, paths, out, batch_size=None):
    directory = RunDirectory(out, "classify")
    directory.prepare(["item"], overwrite=False)
    work = work_from_paths([str(path) for path in paths], None)
    context = describe_run("classify", encoder, {}, 0)
    return run_classify(encoder, "item", work, LABELS, batch_size, context, directory)


def counted(encoder, paths, out, batch_size=None):
    images = [Candidate(path, None) for path in paths]
    pairs = [(a, b) for a in images for b in images if a != b]
    plan = StatisticsPlan(pairs, images, 0, False, LABELS, Polyak(), Goal(cosine=0.5), batch_size)
    directory = RunDirectory(out, "statistics")
    directory.prepare(["item"], overwrite=False)
    return run_statistics(encoder, "item", plan, describe_run("statistics", encoder, {}, 0), directory)


def lines(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def half(count: int, what: str = "images") -> str:
    return f"{count} {what} together do not fit into the memory: going on with {count // 2}."


@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "cpu"])
def test_classify(tmp_path, scenes, caplog, error):
    good = [scenes[0], *scenes[2:]]
    usual = classified(vitequiv.load_encoder("tiny-clip"), good, tmp_path / "usual")
    encoder, network = narrow_encoder(2, error)
    envelope = classified(encoder, good, tmp_path / "narrow")
    assert envelope.status is Status.CONVERGED
    assert lines(caplog) == [half(4)]
    assert network.batches[-3:] == [4, 2, 2]
    # Batches of other sizes take sums in another order.
    torch.testing.assert_close(envelope.result["probabilities"], usual.result["probabilities"], rtol=1e-4, atol=1e-6)
    assert envelope.to_dict()["cost"]["forwards"] == usual.to_dict()["cost"]["forwards"]


@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "cpu"])
def test_statistics(tmp_path, scenes, caplog, error):
    good = [scenes[0], *scenes[2:]]
    usual = counted(vitequiv.load_encoder("tiny-clip"), good, tmp_path / "usual")
    encoder, _ = narrow_encoder(3, error)
    envelope = counted(encoder, good, tmp_path / "narrow")
    assert envelope.status is Status.CONVERGED
    assert lines(caplog) == [half(4)]  # the four images; pairs then begin with as few
    statuses = [pair["status"] for pair in envelope.result["pairs"]]
    assert statuses == [pair["status"] for pair in usual.result["pairs"]] == ["converged"] * 12
    before, after = ([pair["cosine"]["before"] for pair in e.result["pairs"]] for e in (usual, envelope))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-6)


def test_pairs_that_do_not_fit_are_halved_too(tmp_path, scenes, caplog):
    """Two images are looked at, and their pairs, eight of the same two, are matched."""
    encoder, network = narrow_encoder(3)
    images = [Candidate(scenes[0], None), Candidate(scenes[2], None)]
    plan = StatisticsPlan([tuple(images)] * 8, images, 0, False, LABELS, Polyak(), Goal(cosine=0.5), None)
    out = RunDirectory(tmp_path / "out", "statistics")
    out.prepare(["item"], overwrite=False)
    envelope = run_statistics(encoder, "item", plan, describe_run("statistics", encoder, {}, 0), out)
    assert envelope.status is Status.CONVERGED
    assert lines(caplog) == [half(8, "pairs"), half(4, "pairs")]
    assert max(network.batches[network.batches.index(8) + 2 :]) == 2
    assert len(envelope.result["pairs"]) == 8


@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "cpu"])
def test_ldlc_halves_once_for_all_its_batches(tmp_path, scenes, caplog, error):
    options = {"count": 20, "measured": 5, "along": 1, "epsilon": 0.01}
    plain, (encoder, network) = vitequiv.load_encoder("tiny-clip"), narrow_encoder(2, error)
    pixels = torch.rand(3, *plain.input_size, generator=torch.Generator().manual_seed(0))
    usual = vitequiv.ldlc(plain, pixels, **options)
    size = BatchSize()
    found = vitequiv.ldlc(encoder, pixels, batch_size=size, **options)
    assert lines(caplog) == [half(8), half(4)]
    assert size.now == 2
    assert network.batches.count(8) == network.batches.count(4) == 1
    for name, group in usual.groups.items():
        # Batches of other sizes round the embeddings otherwise; the floor is what rounding can make of a constant.
        torch.testing.assert_close(found.groups[name].measured, group.measured, rtol=0, atol=2 * group.floor)


def test_a_mean_target(scenes, caplog):
    encoder, _ = narrow_encoder(2)
    good = (scenes[0], *scenes[2:])
    target = make_target(encoder, MeanTarget(good), 8)
    usual = make_target(vitequiv.load_encoder("tiny-clip"), MeanTarget(good), 8)
    assert lines(caplog) == [half(4)]
    assert target.inputs == usual.inputs
    torch.testing.assert_close(target.embedding, usual.embedding, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("verb", [classified, counted])
def test_only_the_image_that_does_not_fit_alone_fails(tmp_path, scenes, verb):
    encoder, _ = narrow_encoder(8)
    envelope = verb(encoder, scenes, tmp_path / "out")
    assert envelope.status is Status.FAILED
    assert "even alone: free memory" in envelope.message
    if verb is classified:
        assert [failure["name"] for failure in envelope.result["failures"]] == ["scene1"]
        assert len(envelope.result["images"]) == 4
    else:
        failed = [pair for pair in envelope.result["pairs"] if pair["status"] == "failed"]
        assert len(failed) == 8
        assert all("scene1" in str((pair["source"], pair["target"])) for pair in failed)


@pytest.mark.parametrize("verb", [classified, counted])
def test_the_size_goes_by_the_free_memory(tmp_path, scenes, monkeypatch, caplog, verb):
    encoder, network = narrow_encoder(8)
    each = batching.image_bytes(encoder.embed, torch.zeros(3, *encoder.input_size))
    monkeypatch.setattr(batching, "free_bytes", lambda _: 2 * 3 * each + 1)
    network.batches.clear()
    verb(encoder, [scenes[0], *scenes[2:]], tmp_path / "out")
    assert max(network.batches) == 3
    assert not lines(caplog)
