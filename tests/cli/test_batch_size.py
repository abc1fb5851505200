"""`--batch-size` of verbs that do one item at a time: chosen, recorded, taken up again, halved with one line."""

from __future__ import annotations

import json

import pytest
import torch

from tests.cli.conftest import CAT
from tests.runs.narrow import narrow_encoder
from vitequiv import batching

LABELS = ("--labels", "red star,blue ring")
VERBS = {
    "classify": ("classify", "photos", *LABELS),
    "statistics": ("statistics", "photos", "--count", 3, "--cosine", 0.6, *LABELS),
    "ldlc": ("ldlc", CAT, "--count", 5, "--measured", 3, "--along", 0, "--epsilon", 0.01),
}


@pytest.fixture
def roomy(monkeypatch):
    """Memory for so many images of the default model."""

    def room(images: int) -> None:
        monkeypatch.setattr(batching, "image_bytes", lambda *_: 1000)
        monkeypatch.setattr(batching, "free_bytes", lambda _: 2000 * images + 1)

    return room


def recorded(tmp_path, verb: str) -> int | None:
    size: int | None = json.loads((tmp_path / f"vitequiv-out/{verb}.run.json").read_text())["batch_size"]
    return size


@pytest.mark.parametrize("verb", VERBS)
def test_it_is_chosen_recorded_and_kept_by_a_resumed_run(run, photos, tmp_path, roomy, verb):
    roomy(3)
    assert run(*VERBS[verb], "--quiet").code == 0
    assert recorded(tmp_path, verb) == 3
    roomy(5)
    assert run(*VERBS[verb], "--quiet", "--resume").code == 0
    assert recorded(tmp_path, verb) == 3
    assert run(*VERBS[verb], "--quiet", "--resume", "--batch-size", 2).code == 0
    assert recorded(tmp_path, verb) == 2
    assert run(*VERBS[verb], "--quiet", "--overwrite").code == 0
    assert recorded(tmp_path, verb) == 5


def test_each_model_has_its_own(run, photos, tmp_path, roomy, checkpoints):
    """The record has that of the model in hand, which is the one that an interrupted run goes on with."""
    roomy(3)
    both = ("classify", "photos", "--head", "--model", checkpoints["deit"], "--model", checkpoints["swin"], "--quiet")
    assert run(*both).code == 0
    roomy(4)
    (swin,) = (tmp_path / "vitequiv-out").glob("swin*/classify.json")
    swin.unlink()
    assert run(*both, "--resume").code == 0
    assert recorded(tmp_path, "classify") == 3


@pytest.mark.parametrize("verb", VERBS)
def test_what_does_not_fit_is_halved_with_one_line(run, photos, tmp_path, monkeypatch, verb):
    encoder, network = narrow_encoder(2)
    monkeypatch.setattr("vitequiv.encoders.load.load_encoder", lambda *_, **__: encoder)
    done = run(*VERBS[verb])
    assert done.code == 0
    notes = [line for line in done.err.splitlines() if "do not fit" in line]
    most = max(network.batches)
    assert most > 2
    assert notes[0].startswith(f"{most} ")
    assert len(notes) == len({*network.batches} - {1, 2})
    quiet = run(*VERBS[verb], "--overwrite", "--quiet")
    assert (quiet.code, quiet.err) == (0, "")


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5", ""])
def test_what_is_no_size_is_refused_before_anything_is_loaded(run, photos, verb, value):
    done = run(*VERBS[verb], f"--batch-size={value}")
    assert done.code == 2
    assert f"--batch-size must be auto or a whole number from 1, got '{value}'" in done.err


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB")])
def test_memory_that_runs_out_while_the_model_loads_is_no_bug(run, photos, monkeypatch, error):
    def load(*_, **__):
        raise error

    monkeypatch.setattr("vitequiv.encoders.load.load_encoder", load)
    done = run(*VERBS["classify"], "--quiet")
    assert done.code == 3
    assert done.err.count("\n") == 1
    assert done.err.startswith("Error: The memory ran out (")
