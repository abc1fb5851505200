"""Many pairs in one call: in chunks as at once, every source to every target, each target embedded once."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import vitequiv
from tests.loaded import loaded
from tests.matching.test_api import images
from tests.runs.test_seen import Counting
from vitequiv.encoders.base import VisionTower
from vitequiv.matching.progress import Progress


@pytest.fixture(scope="module")
def encoder():
    # float64: sums of another order differ by 1e-15 or so, and no optimisation here magnifies that to 1e-8
    return loaded("tiny-clip", dtype=torch.float64)


def same(found, expected, tolerance=1e-8):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one.pixels, other.pixels, rtol=0, atol=tolerance)
        torch.testing.assert_close(one.target, other.target, rtol=0, atol=tolerance)
        assert torch.equal(one.start, other.start)
        assert (one.status, one.cost.forwards, one.cost.vjps) == (other.status, other.cost.forwards, other.cost.vjps)
        assert [row.passes for row in one.trajectory] == [row.passes for row in other.trajectory]


@pytest.fixture(scope="module")
def singles(encoder):
    """Every one of two sources with every one of three targets, each in a call of its own, source by source."""
    return [vitequiv.match(encoder, s.double(), t.double(), cosine=0.9)[0] for s in images(2, 1) for t in images(3, 2)]


@pytest.mark.parametrize("batch_size", [None, 1, 2, 4, 6, 100])
def test_every_source_to_every_target_in_any_chunks(encoder, singles, batch_size):
    found = vitequiv.match(
        encoder, images(2, 1).double(), images(3, 2).double(), cosine=0.9, all_pairs=True, batch_size=batch_size
    )
    same(found, singles)


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("options", [{"minimise": "l2", "max_passes": 60}, {"loss": "cosine"}, {"linf": 0.1}])
def test_chunks_with_other_options(encoder, options, batch_size):
    sources, target = images(3, 1).double(), images(1, 2).double()
    singles = [vitequiv.match(encoder, source, target, cosine=0.8, **options)[0] for source in sources]
    same(vitequiv.match(encoder, sources, target, cosine=0.8, batch_size=batch_size, **options), singles)


def test_embeddings_pair_in_the_same_ways(encoder, singles):
    with torch.no_grad():
        embeddings = encoder.embed(images(3, 2).double())
    found = vitequiv.match(
        encoder, images(2, 1).double(), embeddings=embeddings, cosine=0.9, all_pairs=True, batch_size=4
    )
    same(found, singles)
    same(vitequiv.match(encoder, images(2, 1)[1].double(), embeddings=embeddings, cosine=0.9), singles[3:])


@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize(
    ("sources", "targets", "options"), [(1, 4, {}), (4, 1, {}), (3, 3, {}), (2, 3, {"all_pairs": True})]
)
def test_each_target_is_embedded_once(sources, targets, options, batch_size):
    encoder = loaded("tiny-clip")
    counting = Counting(encoder.tower.module)
    counted = replace(encoder, tower=VisionTower(counting, encoder.preprocessing))
    results = vitequiv.match(
        counted, images(sources, 1), images(targets, 2), cosine=0.5, batch_size=batch_size, **options
    )
    assert counting.items == targets + sum(result.cost.forwards for result in results)


@pytest.mark.parametrize("minimise", [None, "l2"])
def test_the_progress_is_that_of_all_pairs(encoder, minimise):
    told: list[Progress] = []
    vitequiv.match(
        encoder, images(5, 1).double(), images(1, 2).double(), cosine=0.8, batch_size=2, observe=told.append,
        minimise=minimise, max_passes=60,
    )  # fmt: skip
    assert {progress.active + progress.ended for progress in told} == {5}
    ended = [progress.ended for progress in told]
    assert ended == sorted(ended)
    assert ended[-1] == 5
    assert all(0 <= progress.fraction <= 1 for progress in told)
    assert all(progress.fraction >= progress.ended / 5 - 1e-12 for progress in told)
    assert told[-1].fraction == pytest.approx(1)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_chunk_of_none_is_refused(encoder, batch_size):
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        vitequiv.match(encoder, images(1, 1), images(1, 2), batch_size=batch_size)


@pytest.mark.parametrize(("sources", "targets"), [(0, 2), (2, 0), (0, 0)])
def test_no_pairs_are_no_results(encoder, sources, targets):
    found = vitequiv.match(encoder, torch.zeros(sources, 3, 64, 64), torch.zeros(targets, 3, 64, 64), all_pairs=True)
    assert found == []


def test_numbers_that_do_not_go_together_name_the_way_out(encoder):
    with pytest.raises(ValueError, match=r"2 sources and 3 targets.*all_pairs=True"):
        vitequiv.match(encoder, images(2, 1), images(3, 2))
