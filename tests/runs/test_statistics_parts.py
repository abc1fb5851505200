"""`statistics` interrupted among its pairs: what was matched is taken up again if it is what would come out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image

from tests.resumed import contents
from tests.runs.narrow import narrow_encoder
from tests.runs.test_match import scenes
from vitequiv.classification.choice import ClassifierChoice
from vitequiv.errors import UsageError
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.results.envelope import Envelope
from vitequiv.results.names import ClassifierKind
from vitequiv.results.settings import Setting, Source
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext, describe_run
from vitequiv.runs.directory import RunDirectory, remove_parts
from vitequiv.runs.draw import Candidate
from vitequiv.runs.interrupt import Interrupted
from vitequiv.runs.statistics import run_statistics
from vitequiv.runs.statistics_pairs import StatisticsPlan

__all__ = ["scenes"]  # the fixture: five scenes, the second of them with a red corner
LABELS = ClassifierChoice(ClassifierKind.ZERO_SHOT, ("red star", "blue ring"))
BATCH = 2


@dataclass(frozen=True)
class Job:
    """What is run; each field is one that decides what comes out."""

    paths: tuple[Path, ...]
    cosine: float = 0.45
    choice: ClassifierChoice = LABELS
    skip: int = 0
    folder: str | None = None
    change: Callable[[RunContext], RunContext] = lambda context: context

    @property
    def pairs(self) -> list[tuple[Candidate, Candidate]]:
        images = [Candidate(path, self.folder) for path in self.paths]
        return [(a, b) for a in images for b in images if a != b][self.skip :]


def statistics(job: Job, out: Path, *, resume: bool = False, stop_in: int = 0, at_first: Callable = lambda: None):
    """Run, or be interrupted in a batch (counted from 1). Returns the envelope and the images embedded in all."""
    encoder, network = narrow_encoder(100)
    batches = told = 0

    def observe(progress) -> None:
        nonlocal batches, told
        told += 1
        if told == 1:
            at_first()
        if stop_in and batches == stop_in - 1:
            raise Interrupted
        batches += progress.fraction == 1 and progress.active == 0

    images = sorted({candidate for pair in job.pairs for candidate in pair}, key=lambda one: one.path)
    plan = StatisticsPlan(job.pairs, images, 0, False, job.choice, Polyak(), Goal(cosine=job.cosine), BATCH)
    directory = RunDirectory(out, "statistics")
    directory.prepare(["item"], overwrite=False, resume=resume)
    context = job.change(describe_run("statistics", encoder, {"cosine": Setting(job.cosine, Source.FLAG)}, 0))
    network.batches.clear()
    envelope: Envelope | None = None
    try:
        envelope = run_statistics(encoder, "item", plan, context, directory, observe, resume)
        remove_parts(directory)
    except Interrupted:
        pass
    return envelope, sum(network.batches)


@pytest.fixture
def good(scenes) -> tuple[Path, ...]:
    return (scenes[0], *scenes[2:])


@pytest.fixture
def job(good) -> Job:
    return Job(good)


def parts(out: Path) -> list[Path]:
    return sorted((out / "statistics.parts").glob("*/*"))


@pytest.mark.parametrize("stop_in", [1, 2, 5])
def test_a_resumed_run_does_the_rest_and_equals_an_undisturbed_one(job, tmp_path, stop_in):
    out = tmp_path / "out"
    envelope, whole = statistics(job, tmp_path / "whole")
    assert envelope is not None
    assert envelope.status is Status.CONVERGED
    envelope, first = statistics(job, out, stop_in=stop_in)
    assert envelope is None
    assert len(parts(out)) == stop_in - 1
    envelope, second = statistics(job, out, resume=True)
    assert contents(out, "statistics") == contents(tmp_path / "whole", "statistics")
    assert not (out / "statistics.parts").exists()
    # The images are looked at again, and the batch in hand is lost.
    assert second == whole if stop_in == 1 else second < whole
    assert first + second >= whole


def truncate(job: Job, out: Path) -> Job:
    parts(out)[0].write_bytes(parts(out)[0].read_bytes()[:-9])
    return job


def garble(job: Job, out: Path) -> Job:
    data = parts(out)[0].read_bytes()
    parts(out)[0].write_bytes(data.replace(b"converged", b"unheard_o"))
    return job


def flip_a_bit(job: Job, out: Path) -> Job:
    data = bytearray(parts(out)[0].read_bytes())
    data[-2] ^= 1
    parts(out)[0].write_bytes(bytes(data))
    return job


def swap(job: Job, out: Path) -> Job:
    first, second = parts(out)[:2]
    first.rename(out / "x")
    second.rename(first)
    (out / "x").rename(second)
    return job


def make_a_pipe(job: Job, out: Path) -> Job:
    path = parts(out)[0]
    path.unlink()
    os.mkfifo(path)
    return job


def make_a_link(job: Job, out: Path) -> Job:
    path = parts(out)[0]
    path.rename(out.parent / "moved")
    path.symlink_to(out.parent / "moved")
    return job


def change_an_image(job: Job, out: Path) -> Job:
    with Image.open(job.paths[0]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(job.paths[0])
    return job


def draw_others(job: Job, out: Path) -> Job:
    return replace(job, skip=1)


def order_the_files_otherwise(job: Job, out: Path) -> Job:
    return replace(job, paths=tuple(reversed(job.paths)))


def name_a_class(job: Job, out: Path) -> Job:
    return replace(job, folder="star")


def take_other_labels(job: Job, out: Path) -> Job:
    return replace(job, choice=ClassifierChoice(ClassifierKind.ZERO_SHOT, ("yellow cross", "pink square")))


def ask_for_more(job: Job, out: Path) -> Job:
    return replace(job, cosine=0.7)


def take_other_weights(job: Job, out: Path) -> Job:
    return replace(job, change=lambda c: replace(c, model=replace(c.model, weights_sha256="0" * 64)))


def preprocess_otherwise(job: Job, out: Path) -> Job:
    return replace(job, change=lambda c: replace(c, model=replace(c.model, preprocessing_sha256="0" * 64)))


SPOILED = [truncate, garble, flip_a_bit, swap, make_a_pipe, make_a_link, change_an_image]
OTHERWISE = [draw_others, order_the_files_otherwise, name_a_class, take_other_labels, ask_for_more, take_other_weights,
             preprocess_otherwise]  # fmt: skip


@pytest.mark.parametrize("spoil", [*SPOILED, *OTHERWISE])
def test_a_part_that_is_not_what_would_come_out_is_done_again(job, tmp_path, spoil):
    out = tmp_path / "out"
    statistics(job, out, stop_in=4)
    before = len(parts(out))
    job = spoil(job, out)
    envelope, spent = statistics(job, out, resume=True)
    assert envelope is not None
    _, whole = statistics(job, tmp_path / "whole")
    assert contents(out, "statistics") == contents(tmp_path / "whole", "statistics")
    assert before == 3
    assert spent == whole if spoil in OTHERWISE else spent <= whole


def test_prototypes_that_change_undo_the_parts(job, tmp_path):
    """The two classes' examples change places."""
    examples = tuple((name, (tmp_path / f"{name}.png",)) for name in ("star", "ring"))
    one, two = (path for _, (path,) in examples)
    shutil.copy(job.paths[0], one)
    shutil.copy(job.paths[1], two)
    job, out = replace(job, choice=ClassifierChoice(ClassifierKind.PROTOTYPES, examples=examples)), tmp_path / "out"
    statistics(job, out, stop_in=4)
    shutil.copy(job.paths[1], one)
    shutil.copy(job.paths[0], two)
    statistics(job, out, resume=True)
    statistics(job, tmp_path / "fresh")
    assert contents(out, "statistics") == contents(tmp_path / "fresh", "statistics")


def test_parts_are_neither_used_nor_lost_unasked(job, tmp_path):
    out = tmp_path / "out"
    statistics(job, out, stop_in=4)
    with pytest.raises(UsageError, match="--resume"):
        statistics(job, out)
    assert len(parts(out)) == 3
    RunDirectory(out, "match").prepare(["item"], overwrite=True)  # another verb's
    assert len(parts(out)) == 3
    RunDirectory(out, "statistics").prepare(["item"], overwrite=True)
    assert not parts(out)


def test_a_batch_with_a_failed_pair_is_tried_again(job, tmp_path):
    """The first scene's file is cut short in the first run, and whole in the second; every batch but two has it."""
    out, first = tmp_path / "out", job.paths[0]
    data = first.read_bytes()
    first.write_bytes(data[:50])
    statistics(job, out, stop_in=4)  # in the last: the first two batches have nothing to match
    assert [path.name for path in parts(out)] == ["000004.safetensors"]
    first.write_bytes(data)
    envelope, _ = statistics(job, out, resume=True)
    assert envelope is not None
    assert envelope.status is Status.CONVERGED


def test_an_image_that_changes_during_the_run_fails_by_name(job, tmp_path):
    """All images are looked at before the first pair is matched, and read again for their pairs."""
    last = job.paths[-1]
    envelope, _ = statistics(job, tmp_path / "out", at_first=lambda: change_an_image(Job((last,)), tmp_path))
    assert envelope is not None
    assert envelope.status is Status.FAILED
    failed = [pair for pair in envelope.result["pairs"] if pair["status"] == "failed"]
    assert len(failed) == 6
    assert all(f"{last} has changed since the run began" in pair["message"] for pair in failed)


@pytest.mark.parametrize("where", ["statistics.parts", "statistics.parts/key"])
def test_links_are_neither_written_through_nor_emptied(job, tmp_path, where):
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    statistics(job, out, stop_in=2)
    key = parts(out)[0].parent.name
    shutil.rmtree(out / "statistics.parts")
    link = out / where.replace("key", key)
    link.parent.mkdir(exist_ok=True)
    (elsewhere / key).mkdir(parents=True)
    (elsewhere / "kept").write_text("mine")
    before = sorted(elsewhere.rglob("*"))
    link.symlink_to(elsewhere)
    statistics(job, out, resume=True, stop_in=3)
    statistics(job, out, resume=True)
    RunDirectory(out, "statistics").prepare(["item"], overwrite=True)
    assert sorted(elsewhere.rglob("*")) == before
