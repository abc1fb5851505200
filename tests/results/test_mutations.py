"""One value of a saved result is changed at random: no bug, no traceback, no false reason, no other item is lost."""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.test_report import Page
from tests.results.make_earlier import EARLIER
from tests.results.mutations import mutated
from tests.schemas import faults
from vitequiv._version import __version__
from vitequiv.cli import interpolate, jacobian, ldlc, match_columns, statistics
from vitequiv.cli.app import main
from vitequiv.cli.formats import Format
from vitequiv.cli.render import Renderer
from vitequiv.errors import UsageError
from vitequiv.results.envelope import Envelope, jsonable
from vitequiv.results.status import Status
from vitequiv.runs.record import read_record
from vitequiv.tiny.render import write_scenes

ITEMS = 20
"""Matches in a run, of which one is left as it is."""
INTACT = "m00"
LABELS = "red star,green ring,blue circle"
SETTINGS = ("--pairs", "pairs.csv", "--cosine", "0.5", "--max-passes", "60", "--batch-size", "20")
COLUMNS = {
    "match": match_columns.WITH_JPEG,
    "jacobian": jacobian.COLUMNS,
    "ldlc": ldlc._columns(()),
    "interpolate": interpolate.COLUMNS,
    "statistics": statistics.WITH_LPIPS,
}


@pytest.fixture
def count(request) -> int:
    return int(request.config.getoption("--mutations"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A folder with a run of many matches, a classification of them, and statistics."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "scenes").mkdir()
    scenes = [
        path.rename(folder / f"scenes/{new}.png")
        for path, new in zip(write_scenes(folder / "all", 3, 6), "abc", strict=True)
    ]
    rows = [f"{scenes[i % 2]},{scenes[2]},m{i:02}" for i in range(ITEMS)]
    (folder / "pairs.csv").write_text("\n".join(["source,target,name", *rows]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for arguments in (
            ("match", *SETTINGS, "--out", "run", "--quiet"),
            ("classify", "scenes", "run", "--labels", LABELS, "--out", "run/classes", "--quiet"),
            ("statistics", "scenes", "--count", "2", "--cosine", "0.5", "--out", "run/pairs", "--quiet"),
        ):
            patch.setattr(sys, "argv", ["vitequiv", *arguments])
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code in {0, 3, None}
    return folder


def spoil(path: Path, chance: random.Random) -> None:
    path.write_text(json.dumps(mutated(json.loads(path.read_text()), chance)))


def sound(done) -> None:
    """Nothing that edited files must lead to was said."""
    said = done.out + done.err
    assert "bug in vitequiv" not in said
    assert "Warning" not in done.err
    assert "failed on this" not in said
    assert "memory ran out" not in said
    assert "fit into the memory" not in said


@pytest.mark.slow
def test_report_classify_and_resume(run, tmp_path, whole, count):
    for seed in range(-(-count // ITEMS)):
        chance = random.Random(seed)
        out = tmp_path / f"r{seed}"
        shutil.copytree(whole / "run", out)
        shutil.copy(whole / "pairs.csv", "pairs.csv")
        for path in sorted(out.glob("m*/match.json")):
            if path.parent.name != INTACT:
                spoil(path, chance)
        for path in (out / "classes/tiny-clip/classify.json", out / "pairs/tiny-clip/statistics.json"):
            shutil.copytree(path.parents[1], path.parents[1].with_name(f"{path.parents[1].name}2"))
            spoil(path, chance)
        lines = (out / "results.jsonl").read_text().splitlines()
        lines[chance.randrange(ITEMS)] = json.dumps(mutated(json.loads(lines[0]), chance))
        (out / "results.jsonl").write_text("\n".join(lines) + "\n")

        done = run("report", out, "--format", "json")
        sound(done)
        assert done.code == 0, seed
        (line,) = done.lines()
        assert line["matches"] + line["failures"] >= ITEMS, seed
        page = Page((out / "report.html").read_text())
        assert any(alt.startswith("matched: ") for alt in page.alts)
        assert not {"script", "link", "iframe"} & set(page.tags)

        for form in ("human", "json"):
            done = run("classify", out, "--labels", LABELS, "--out", f"c{seed}", "--overwrite", "--format", form)
            sound(done)
            assert done.code in {0, 3}, seed
        (line,) = done.lines()
        assert str(out / INTACT) in [match["folder"] for match in line["result"]["matches"]], seed

        record, kept = (out / "match.run.json").read_text(), (out / INTACT / "match.json").read_bytes()
        spoil(out / "match.run.json", chance)
        done = run("match", *SETTINGS, "--out", out, "--resume")
        sound(done)
        assert done.code in {0, 2, 3}, seed
        assert "Error: " in done.err or done.code != 2
        (out / "match.run.json").write_text(record)
        for form in ("human", "json"):
            done = run("match", *SETTINGS, "--out", out, "--resume", "--format", form)
            sound(done)
            assert done.code in {0, 3}, seed
        assert [line["item"] for line in done.lines()] == [f"m{i:02}" for i in range(ITEMS)], seed
        assert all(line["result"] is not None for line in done.lines()), seed
        assert (out / INTACT / "match.json").read_bytes() == kept, seed
        shutil.rmtree(out)


@pytest.mark.parametrize("verb", ["match", "jacobian", "ldlc", "interpolate", "classify", "statistics"])
def test_what_is_read_can_be_shown(verb, count, capsys):
    """Of every verb: an edited result is damaged, or its columns can be printed."""
    chance = random.Random(verb)
    record = json.loads(next((EARLIER / __version__).glob(f"*/{verb}.json")).read_text())
    read, refused = 0, []
    for _ in range(count * 5):
        try:
            envelope = Envelope.from_dict(mutated(record, chance))
        except ValueError as error:
            refused.append(str(error))
            continue
        read += 1
        plain = envelope.to_dict()
        assert Envelope.from_dict(plain).to_dict() == plain
        json.dumps(plain, allow_nan=False)
        # What is kept is written again, and has to be what the schema says; an item with another role never is.
        assert [fault for fault in faults(plain) if ".role" not in fault] == []
        for form in Format if verb in COLUMNS else ():
            renderer = Renderer(form, COLUMNS[verb])
            renderer.item(Envelope(**{**vars(envelope), "result": jsonable(envelope.result)}))
            renderer.finish("out")
        assert envelope.status in Status
    capsys.readouterr()
    assert read
    assert refused
    assert [text for text in refused if not text.isprintable() or len(text) > 500] == []


def test_a_record_of_a_run_is_read_or_refused(tmp_path, count):
    chance = random.Random(0)
    record = json.loads((EARLIER / __version__ / "match.run.json").read_text())
    path = tmp_path / "match.run.json"
    refused = []
    for _ in range(count * 5):
        path.write_text(json.dumps(mutated(record, chance)))
        try:
            assert read_record(path) is not None
        except UsageError as error:
            refused.append(error.message)
    assert 0 < len(refused) < count * 5
    assert [text for text in refused if not text.isprintable()] == []
