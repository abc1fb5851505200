"""`statistics` interrupted among its pairs: what was matched is taken up again if it is what would come out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.resumed import contents
from tests.runs.narrow import narrow_encoder
from tests.runs.test_match import scenes
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.envelope import Envelope
from vitequiv.results.names import ClassifierKind
from vitequiv.results.settings import Setting, Source
from vitequiv.results.status import Status
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.draw import Candidate
from vitequiv.runs.interrupt import Interrupted
from vitequiv.runs.statistics import run_statistics
from vitequiv.runs.statistics_pairs import StatisticsPlan
from vitequiv.runs.statistics_parts import FOLDER

__all__ = ["scenes"]  # the fixture: five scenes, the second of them with a red corner
LABELS = ClassifierChoice(ClassifierKind.ZERO_SHOT, ("red star", "blue ring"))
BATCH = 2


def statistics(paths: list[Path], out: Path, *, resume: bool = False, stop_in: int = 0, cosine: float = 0.6):
    """Run, or be interrupted in a batch (counted from 1). Returns the envelope and the images embedded in all."""
    encoder, network = narrow_encoder(100)
    images = [Candidate(path, None) for path in paths]
    pairs = [(a, b) for a in images for b in images if a != b]
    batches = 0

    def observe(progress) -> None:
        nonlocal batches
        if stop_in and batches == stop_in - 1:
            raise Interrupted
        batches += progress.fraction == 1 and progress.active == 0

    plan = StatisticsPlan(pairs, images, 0, False, LABELS, Polyak(), Goal(cosine=cosine), BATCH)
    directory = RunDirectory(out, "statistics")
    directory.prepare(["item"], overwrite=False, resume=resume)
    context = describe_run("statistics", encoder, {"cosine": Setting(cosine, Source.FLAG)}, 0)
    network.batches.clear()
    try:
        envelope: Envelope | None = run_statistics(encoder, "item", plan, context, directory, observe, resume)
    except Interrupted:
        envelope = None
    return envelope, sum(network.batches)


@pytest.fixture
def good(scenes) -> list[Path]:
    return [scenes[0], *scenes[2:]]


@pytest.fixture
def whole(good, tmp_path):
    envelope, spent = statistics(good, tmp_path / "whole")
    assert envelope is not None
    assert envelope.status is Status.CONVERGED
    assert not list((tmp_path / "whole").rglob(FOLDER))
    return spent


def parts(out: Path) -> list[Path]:
    return sorted((out / "item" / FOLDER).glob("*"))


@pytest.mark.parametrize("stop_in", [1, 2, 5])
def test_a_resumed_run_does_the_rest_and_equals_an_undisturbed_one(good, whole, tmp_path, stop_in):
    out = tmp_path / "out"
    envelope, first = statistics(good, out, stop_in=stop_in)
    assert envelope is None
    assert len(parts(out)) == stop_in - 1
    envelope, second = statistics(good, out, resume=True)
    assert contents(out, "statistics") == contents(tmp_path / "whole", "statistics")
    assert not list(out.rglob(FOLDER))
    # The images are looked at again, and the batch in hand is lost.
    assert second <= whole
    assert second == whole if stop_in == 1 else second < whole
    assert first + second >= whole


def truncate(good: list[Path], out: Path) -> None:
    parts(out)[0].write_bytes(parts(out)[0].read_bytes()[:-9])


def garble(good: list[Path], out: Path) -> None:
    data = parts(out)[0].read_bytes()
    parts(out)[0].write_bytes(data.replace(b"converged", b"unheard_o"))


def change(good: list[Path], out: Path) -> None:
    with Image.open(good[0]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(good[0])


@pytest.mark.parametrize("spoil", [truncate, garble, change])
def test_a_part_that_is_not_what_would_come_out_is_done_again(good, whole, tmp_path, spoil):
    out = tmp_path / "out"
    statistics(good, out, stop_in=3)
    spoil(good, out)
    envelope, _ = statistics(good, out, resume=True)
    assert envelope is not None
    shutil.rmtree(tmp_path / "whole")
    statistics(good, tmp_path / "whole")
    assert contents(out, "statistics") == contents(tmp_path / "whole", "statistics")


@pytest.mark.parametrize("options", [{"resume": False}, {"resume": True, "cosine": 0.7}])
def test_parts_of_other_settings_or_unasked_for_are_not_used(good, whole, tmp_path, options):
    out = tmp_path / "out"
    statistics(good, out, stop_in=4)
    _, spent = statistics(good, out, **options)
    _, all_of_it = statistics(good, tmp_path / "other", **replace_resume(options))
    assert spent == all_of_it
    assert contents(out, "statistics") == contents(tmp_path / "other", "statistics")


def replace_resume(options: dict) -> dict:
    return {**options, "resume": False}


def test_a_batch_with_a_failed_pair_is_tried_again(good, tmp_path):
    """The first scene's file is cut short in the first run, and whole in the second; every batch but two has it."""
    out, data = tmp_path / "out", good[0].read_bytes()
    good[0].write_bytes(data[:50])
    statistics(good, out, stop_in=4)  # in the last: the first two batches have nothing to match
    assert [path.name for path in parts(out)] == ["000004.safetensors"]
    good[0].write_bytes(data)
    envelope, _ = statistics(good, out, resume=True)
    assert envelope is not None
    assert envelope.status is Status.CONVERGED


def test_what_was_left_behind_by_a_kill_after_the_results_is_cleared(good, whole, tmp_path):
    out = tmp_path / "whole"
    (out / "item" / FOLDER).mkdir()
    (out / "item" / FOLDER / "000000.safetensors").write_bytes(b"")
    statistics(good, out, resume=True)
    assert not list(out.rglob(FOLDER))


def test_a_link_in_place_of_the_folder_is_not_written_through(good, whole, tmp_path):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / "item").mkdir(parents=True)
    (out / "item" / FOLDER).symlink_to(elsewhere)
    statistics(good, out, resume=True, stop_in=3)
    assert not list(elsewhere.iterdir())
