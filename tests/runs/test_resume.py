"""What is kept of an earlier run, what is done again and why, and what stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.results.make_earlier import EARLIER
from tests.runs.fakes import fake_context
from vitequiv._version import __version__
from vitequiv.errors import OutputError, UsageError
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.settings import Setting, Source
from vitequiv.results.status import Status
from vitequiv.runs.changes import differences
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.record import earlier_batch_size
from vitequiv.runs.resume import digest, judge
from vitequiv.runs.store import Existing, RunStore

SETTINGS = {
    "cosine": Setting(0.9, Source.FLAG),
    "seed": Setting(0, Source.DEFAULT),
    "batch_size": Setting("auto", Source.DEFAULT),
}
CONTEXT = fake_context(SETTINGS)
RESULT = json.loads((EARLIER / __version__ / "a_to_b/match.json").read_text())["result"]


@pytest.fixture
def out(tmp_path) -> RunDirectory:
    """A directory with one item, whole."""
    (tmp_path / "a.png").write_bytes(b"pixels")
    directory = RunDirectory(tmp_path / "out", "match")
    directory.prepare(["a"], overwrite=False)
    write(directory)
    return directory


def inputs(out: RunDirectory, **changes: str | None) -> tuple[InputRecord, ...]:
    path = str(out.path.parent / "a.png")
    return (replace(InputRecord("source", path), **changes), InputRecord("target", "a sentence", "1234"))


def write(out: RunDirectory, status: Status = Status.CONVERGED, **changes) -> Envelope:
    folder = out.begin("a")
    (folder / "matched.png").write_bytes(b"matched")
    records = inputs(out, sha256=digest(str(out.path.parent / "a.png")))
    envelope = CONTEXT.envelope("a", status, "Done.", records, result=RESULT, artifacts={"matched": "matched.png"})
    envelope = replace(envelope, **changes)
    out.finish(envelope)
    return envelope


def test_an_item_that_would_come_out_again_is_kept(out):
    verdict = judge(out, "a", inputs(out), CONTEXT)
    assert verdict.note == ""
    assert verdict.kept is not None
    assert verdict.kept.to_dict() == json.loads(out.result("a").read_text())


@pytest.mark.parametrize("status", [Status.BUDGET_EXHAUSTED, Status.STALLED, Status.NON_FINITE])
def test_an_end_that_would_come_again_is_kept(out, status):
    write(out, status)
    kept = judge(out, "a", inputs(out), CONTEXT).kept
    assert kept is not None
    assert kept.status is status


def spoil_json(out):
    out.result("a").write_text(out.result("a").read_text()[:-40])


def empty_json(out):
    out.result("a").write_text("{}")


def test_what_a_later_version_wrote_is_left_alone(out):
    out.result("a").write_text(out.result("a").read_text().replace("match/1", "match/2"))
    store = RunStore(out, CONTEXT, Existing.RESUME)
    with pytest.raises(OutputError, match=r"vitequiv/match/2.*another --out"):
        store.stored("a", inputs(out), CONTEXT)
    assert out.result("a").exists()
    store.close()


def other_verb(out):
    out.result("a").write_text(out.result("a").read_text().replace("match/1", "ldlc/1"))


def lose_artifact(out):
    (out.path / "a/matched.png").unlink()


def change_input(out):
    (out.path.parent / "a.png").write_bytes(b"others")


def older_settings(out):
    write(out, settings={**SETTINGS, "cosine": Setting(0.8, Source.FLAG)})


def other_weights(out):
    write(out, model=replace(CONTEXT.model, weights_sha256="1" * 64))


@pytest.mark.parametrize(
    ("spoil", "note"),
    [
        (spoil_json, "damaged"),
        (empty_json, "damaged"),
        (other_verb, "something else"),
        (lose_artifact, "matched.png is gone"),
        (change_input, "an input has changed"),
        (older_settings, "cosine: 0.8 -> 0.9"),
        (other_weights, "other weights"),
        (lambda out: write(out, Status.FAILED), ""),
        (lambda out: out.result("a").unlink(), ""),
    ],
)
def test_what_is_done_again_and_why(out, spoil, note):
    spoil(out)
    said: list[str] = []
    store = RunStore(out, CONTEXT, Existing.RESUME, say=said.append)
    assert store.stored("a", inputs(out), CONTEXT) is None
    assert len(said) == bool(note)
    assert not note or note in said[0]
    # If it fails this time, no older result is left standing.
    assert not out.result("a").exists()
    store.close()


def test_a_result_whose_input_is_gone_is_not_thrown_away(out):
    (out.path.parent / "a.png").unlink()
    verdict = judge(out, "a", inputs(out), CONTEXT)
    assert verdict.kept is not None
    assert "cannot be read any more; its result is kept" in verdict.note


def test_another_number_of_inputs_is_another_item(out):
    assert judge(out, "a", inputs(out)[:1], CONTEXT).kept is None


@pytest.mark.parametrize(
    ("then", "now", "expected"),
    [
        ({}, {}, []),
        ({"cosine": 0.9}, {"cosine": Setting(0.9, Source.FLAG)}, []),
        ({"cosine": 0.9}, {"cosine": Setting(0.9, Source.DEFAULT)}, []),
        ({"cosine": 0.9}, {"cosine": Setting(0.8, Source.FLAG)}, ["cosine: 0.9 -> 0.8"]),
        ({"target_mean": None}, {"target_mean": Setting([Path("b")], Source.FLAG)}, ['target_mean: null -> ["b"]']),
        ({"batch_size": 8}, {"batch_size": Setting("auto", Source.DEFAULT)}, []),
        ({}, {"new": Setting(1, Source.DEFAULT)}, []),
        ({}, {"new": Setting(1, Source.FLAG)}, ["new: null -> 1"]),
        ({"old": 1}, {}, []),
        ({"b": 1, "a": 1}, {"b": Setting(2, Source.FLAG), "a": Setting(2, Source.FLAG)}, ["a: 1 -> 2", "b: 1 -> 2"]),
    ],
)
def test_settings_that_differ(then, now, expected):
    assert differences({name: Setting(value, Source.FLAG) for name, value in then.items()}, now) == expected


def begin(out, context=CONTEXT, existing=Existing.REFUSE, batch_size=8):
    said: list[str] = []
    store = RunStore(out, context, existing, batch_size, said.append)
    store.close()
    return store, said


def test_a_run_directory_says_what_it_was_begun_with(out):
    begin(out)
    record = json.loads(out.record.read_text())
    assert record["schema"] == "vitequiv/run/1"
    assert record["settings"]["cosine"] == {"value": 0.9, "source": "flag"}
    assert [model["weights_sha256"] for model in record["models"]] == ["0" * 64]
    assert record["environment"]["versions"] == {"vitequiv": "0"}
    assert record["batch_size"] == 8
    assert record["resumed"] == []
    begin(out, existing=Existing.RESUME)
    again = json.loads(out.record.read_text())
    assert len(again.pop("resumed")) == 1
    assert {key: value for key, value in record.items() if key != "resumed"} == again


@pytest.mark.parametrize(
    ("context", "fragments"),
    [
        (fake_context({**SETTINGS, "cosine": Setting(0.8, Source.FLAG)}), ["cosine: 0.9 -> 0.8", "--out"]),
        (replace(CONTEXT, model=replace(CONTEXT.model, weights_sha256="1" * 64)), ["weights", "111111111111", "--out"]),
    ],
    ids=["settings", "weights"],
)
def test_other_settings_or_weights_are_an_error_that_shows_them(out, context, fragments):
    begin(out)
    before = out.record.read_text()
    with pytest.raises(UsageError) as refused:
        begin(out, context, Existing.RESUME)
    for fragment in fragments:
        assert fragment in refused.value.message
    assert out.record.read_text() == before


def test_the_size_of_batches_is_taken_over_unless_another_is_given(out):
    begin(out, batch_size=5)
    assert begin(out, existing=Existing.RESUME, batch_size=None)[0].record.batch_size == 5
    assert begin(out, existing=Existing.RESUME, batch_size=3)[0].record.batch_size == 3


def test_another_machine_is_said(out):
    begin(out)
    other = replace(CONTEXT, environment=replace(CONTEXT.environment, device="cuda", versions={"vitequiv": "1"}))
    _, said = begin(out, other, Existing.RESUME)
    assert said == [
        "Resumed with device cpu -> cuda, vitequiv 0 -> 1: results equal those of an undisturbed run up to rounding."
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "move it away"),
        ("[]", "move it away"),
        ("nonsense", "move it away"),
        ('{"schema": "vitequiv/run/1"}', "move it away"),
        ('{"schema": "vitequiv/run/9"}', "reads vitequiv/run/1: take a later vitequiv, or choose another --out"),
        ('{"models": []}', "move it away"),
    ],
)
def test_a_record_that_is_none_is_one_sentence(out, text, says):
    out.record.write_text(text)
    with pytest.raises(UsageError, match=says):
        begin(out, existing=Existing.RESUME)


def test_several_models_share_a_record(out):
    store, _ = begin(out)
    other = replace(CONTEXT, model=replace(CONTEXT.model, spec="other", weights_sha256="1" * 64))
    store.turn_to(other, 4)
    assert earlier_batch_size(out.record, "other") == 4
    assert earlier_batch_size(out.record, "fake") is None  # it has ended
    store.turn_to(CONTEXT, 8)
    assert json.loads(out.record.read_text())["batch_size"] == 4  # that of the last model stands
    assert [model["spec"] for model in json.loads(out.record.read_text())["models"]] == ["fake", "other"]
    with pytest.raises(UsageError, match=r"other weights \(sha256 111111111111 -> 222222222222\) of other"):
        begin(out, replace(other, model=replace(other.model, weights_sha256="2" * 64)), Existing.RESUME)


def test_without_a_word_results_are_neither_kept_nor_replaced(out):
    store = RunStore(out, CONTEXT, Existing.REFUSE)
    with pytest.raises(OutputError, match=r"--overwrite.*--resume"):
        store.stored("a", inputs(out), CONTEXT)
    assert out.result("a").exists()
    store.close()


def test_half_written_files_of_a_killed_run_are_cleared(out):
    for folder in (out.path, out.path / "a"):
        (folder / ".vitequiv-123-abcd.tmp").write_bytes(b"half")
    out.prepare([], overwrite=False, resume=True)
    out.begin("a")
    assert not list(out.path.rglob(".vitequiv-*"))


def test_an_envelope_survives_its_json(out):
    envelope = write(out)
    assert Envelope.from_dict(json.loads(json.dumps(envelope.to_dict()))).to_dict() == envelope.to_dict()
