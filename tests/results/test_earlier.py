"""Run directories of this and of earlier versions are read, those of later ones too if only keys were added."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.results.make_earlier import EARLIER
from tests.schemas import faults
from vitequiv._version import __version__
from vitequiv.errors import ImageError, OutputError, UsageError
from vitequiv.results.envelope import Envelope
from vitequiv.results.verbs import VERBS
from vitequiv.results.versions import LaterSchemaError, SchemaError, require_schema
from vitequiv.runs.record import read_record
from vitequiv.runs.report import write_report
from vitequiv.runs.report_data import collect
from vitequiv.runs.saved_matches import read_match

VERSIONS = sorted(path.name for path in EARLIER.iterdir())


@pytest.fixture(params=VERSIONS)
def saved(request, tmp_path) -> Path:
    """A copy of a directory that this or an earlier version wrote."""
    return Path(shutil.copytree(EARLIER / request.param, tmp_path / "saved"))


def change(folder: Path, edit) -> None:
    """Edit every JSON file of a run directory."""
    for path in [*folder.rglob("*.json"), folder / "results.jsonl"]:
        lines = path.read_text().splitlines() if path.suffix == ".jsonl" else [path.read_text()]
        path.write_text("".join(json.dumps(edit(json.loads(line))) + "\n" for line in lines))


def added(record):
    """The record as a later minor version may write it: with another key in every object, and results of more kinds."""
    if isinstance(record, list):
        return [added(item) for item in record]
    if isinstance(record, dict):
        inner = {
            key: value if key in {"settings", "artifacts", "versions"} else added(value)
            for key, value in record.items()
        }
        return {**inner, "added_later": {"value": 1}}
    return record


def later(record):
    return {**record, "schema": record["schema"].replace("/1", "/2")}


def test_this_minor_version_has_its_directory():
    minor = __version__.split(".")[:2]
    assert minor in [version.split(".")[:2] for version in VERSIONS], "python -m tests.results.make_earlier, and commit"


def test_that_of_this_version_is_what_the_schemas_say():
    paths = [*(EARLIER / __version__).rglob("*.json")]
    assert {path.name for path in paths} == {f"{verb}{end}.json" for verb in VERBS for end in ("", ".run")}
    lines = (EARLIER / __version__ / "results.jsonl").read_text().splitlines()
    assert {json.loads(line)["status"] for line in lines} == {"converged", "failed"}
    assert [fault for text in (*(p.read_text() for p in paths), *lines) for fault in faults(json.loads(text))] == []


@pytest.mark.parametrize("edit", [lambda record: record, added], ids=["as it was", "with keys added later"])
def test_report_shows_it(run, saved, edit):
    change(saved, edit)
    done = run("report", "saved", "--format", "json")
    assert done.code == 0, done.err
    (line,) = done.lines()
    assert (line["matches"], line["classifications"], line["statistics"], line["failures"]) == (1, 1, 1, 0)
    page = (saved / "report.html").read_text()
    match = json.loads((saved / "a_to_b/match.json").read_text())
    assert f"{match['result']['cosine']['saved']:.4f}" in page
    assert "All 2 pairs were measured" in page


@pytest.mark.parametrize("edit", [lambda record: record, added], ids=["as it was", "with keys added later"])
def test_every_envelope_and_record_is_read(saved, edit):
    whole = {path: json.loads(path.read_text()) for path in saved.glob("*/*.json")}
    change(saved, edit)
    for path, record in whole.items():
        read = Envelope.from_dict(json.loads(path.read_text())).to_dict()
        assert {**read, "result": None} == {**record, "result": None}
        assert read["result"].keys() - {"added_later"} == record["result"].keys()
    for verb in VERBS:
        assert read_record(saved / f"{verb}.run.json").environment.seed == 0


def test_a_later_major_version_is_named(run, saved):
    change(saved, later)
    done = run("report", "saved")
    assert done.code == 2
    assert (
        "In saved/a_to_b, match.json cannot be shown: it has the schema vitequiv/match/2, and vitequiv "
        f"{__version__} reads vitequiv/match/1: take a later vitequiv." in " ".join(done.err.split())
    )
    assert not (saved / "report.html").exists()
    for name in ("match", "classify", "jacobian"):
        path = next(saved.glob(f"*/{name}.json"))
        with pytest.raises(LaterSchemaError, match=f"vitequiv/{name}/2.* reads vitequiv/{name}/1"):
            Envelope.from_dict(json.loads(path.read_text()))
    with pytest.raises(ImageError, match=r"vitequiv/match/2.* reads vitequiv/match/1"):
        read_match(saved / "a_to_b")
    with pytest.raises(UsageError, match=r"vitequiv/run/2.* reads vitequiv/run/1.*another --out"):
        read_record(saved / "match.run.json")


def test_beside_others_it_is_a_failure_in_the_page(saved, tmp_path):
    path = saved / "a_to_b/match.json"
    path.write_text(json.dumps(later(json.loads(path.read_text()))))
    assert write_report(saved, tmp_path / "out").failures == 1
    assert collect(saved).failures == [
        ("a_to_b", f"match.json cannot be shown: it has the schema vitequiv/match/2, and vitequiv {__version__} reads "
        "vitequiv/match/1: take a later vitequiv"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "schema", ["vitequiv/ldlc/1", "vitequiv/match/x", "vitequiv/match/²", "other", "", 1, None, []]
)
def test_what_is_no_later_version(schema):
    with pytest.raises(SchemaError, match="vitequiv/match/1 is expected") as caught:
        require_schema({"schema": schema}, "match")
    assert not isinstance(caught.value, LaterSchemaError)


@pytest.mark.parametrize("record", [None, [], "text", {}])
def test_what_has_no_schema(record):
    with pytest.raises(SchemaError, match="names no schema"):
        require_schema(record, "match")


def test_resuming_leaves_the_results_of_a_later_version_alone(run, saved):
    path = saved / "a_to_b/match.json"
    path.write_text(json.dumps(later(json.loads(path.read_text()))))
    before = path.read_bytes()
    shutil.copy(saved / "a_to_b/matched.png", "a.png")
    shutil.copy(saved / "a_to_b/matched.png", "b.png")
    settings = ("--cosine", "0.7", "--max-passes", "200")
    done = run("match", "a.png", "b.png", *settings, "--out", "saved", "--resume", "--format", "json")
    assert done.code == 3
    (line,) = done.lines()
    assert "vitequiv/match/2" in line["message"]
    assert path.read_bytes() == before
    assert OutputError.exit_code == done.code
