"""Every verb over every bad and odd file: no traceback, no hang, no write elsewhere, one sentence a failure."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.conftest import PROGRAM
from tests.corpus.make_corpus import Corpus, make, make_results

SECONDS = 900
"""A verb over the whole corpus takes a twentieth of this on one free core; a hang would take for ever."""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    return make(tmp_path_factory.mktemp("around") / "corpus")


def snapshot(root: Path) -> dict[bytes, tuple]:
    """Everything below a folder, with content and times."""
    found = {}
    for folder, _, files in os.walk(os.fsencode(root)):
        found[folder] = ("folder", os.lstat(folder).st_mode)
        for name in files:
            path = os.path.join(folder, name)  # noqa: PTH118 - bytes
            status = os.lstat(path)
            small = stat.S_ISREG(status.st_mode) and status.st_size < 1 << 30
            content = hashlib.sha256(Path(os.fsdecode(path)).read_bytes()).hexdigest() if small else status.st_size
            found[path] = (status.st_mode, status.st_mtime_ns, content)
    return found


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str
    written: frozenset[bytes]


def run(tmp_path: Path, corpus: Corpus, verb: str, *arguments: object) -> Finished:
    """Run the installed program over all names, by standard input, with the world around watched."""
    work = tmp_path / "work"
    work.mkdir()
    around = (corpus.root, tmp_path)
    before = [snapshot(root) for root in around]
    done = subprocess.run(
        [PROGRAM, verb, *map(str, arguments), "--out", "out", "--quiet"],
        cwd=work, input=b"\0".join(corpus.paths) + b"\0", capture_output=True, timeout=SECONDS, check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    out, err = done.stdout.decode("utf-8", "surrogateescape"), done.stderr.decode("utf-8", "surrogateescape")
    assert "Traceback" not in out + err
    assert "bug in vitequiv" not in err
    assert "Warning" not in err
    after = [snapshot(root) for root in around]
    inside = os.fsencode(work / "out")
    for old, new in zip(before, after, strict=True):
        changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
        assert {path for path in changed if path != inside and not path.startswith(inside + b"/")} == set()
    return Finished(done.returncode, out, err, frozenset(path for path in after[1] if path.startswith(inside)))


def check_items(done: Finished, corpus: Corpus, role: str) -> None:
    """One JSON line an item; what is to be refused failed in a sentence that names it, all else has a result."""
    assert done.code == 3, done.err
    records = [json.loads(line) for line in done.out.split("\n") if line]
    by_path = {os.fsencode(next(i["path"] for i in r["inputs"] if i["role"] == role)): r for r in records}
    assert by_path.keys() == set(corpus.paths)
    assert len({r["item"].casefold() for r in records}) == len(records) == len(corpus.paths)
    for path in corpus.refused:
        record = by_path[path]
        assert record["status"] == "failed", path
        assert record["result"] is None
        assert record["message"].isprintable(), path
        assert "failed on this" not in record["message"], path  # not the model's fault
    for path in corpus.taken:
        assert by_path[path]["result"] is not None, (path, by_path[path]["message"])
    for record in records:
        assert record["item"].isprintable()
        assert os.sep not in record["item"]
        assert not record["item"].startswith((".", "-"))


def test_the_corpus_has_what_it_promises(corpus):
    assert len(corpus.refused) >= 50
    assert len(corpus.taken) >= 70
    assert len(set(corpus.paths)) == len(corpus.paths)


@pytest.mark.slow
def test_match(tmp_path, corpus):
    done = run(tmp_path, corpus, "match", "-", corpus.target, "--cosine", 0.5, "--max-passes", 4, "--format", "json")
    check_items(done, corpus, "source")


@pytest.mark.slow
def test_jacobian(tmp_path, corpus):
    done = run(tmp_path, corpus, "jacobian", "-", "--method", "topk", "--k", 1, "--format", "json")
    check_items(done, corpus, "image")


@pytest.mark.slow
def test_ldlc(tmp_path, corpus):
    small = ("--directions", "random", "--count", 1, "--measured", 1, "--epsilon", 0.1, "--format", "json")
    check_items(run(tmp_path, corpus, "ldlc", "-", *small), corpus, "image")


@pytest.mark.slow
def test_classify_and_a_table(tmp_path, corpus):
    done = run(tmp_path, corpus, "classify", "-", "--labels", "red star,blue ring")
    assert done.code == 3
    assert len([p for p in done.written if p.endswith(b"classify.json")]) == 1
    assert "\x1b" not in done.out + done.err
    (folder,) = (path for path in (tmp_path / "work/out").iterdir() if path.is_dir())
    record = json.loads((folder / "classify.json").read_text())
    assert len(record["result"]["images"]) == len(corpus.taken)
    assert len(record["result"]["failures"]) == len(corpus.refused)
    for failure in record["result"]["failures"]:
        assert failure["message"].isprintable()


def test_report(tmp_path, quick_program):
    names = make_results(tmp_path / "results")
    before = snapshot(tmp_path)
    done = subprocess.run(
        [quick_program, "report", "results", "--out", "page"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    page = (tmp_path / "page/report.html").read_text()
    assert "<script" not in page
    assert "SECRET" not in page
    assert "root:" not in page
    from base64 import b64encode

    assert b64encode(b"SECRET").decode().rstrip("=")[:7] not in page
    for name in names:
        assert name.replace("<", "&lt;").replace(">", "&gt;") in page, name
    assert {path for path in snapshot(tmp_path) if path not in before} == {
        os.fsencode(tmp_path / name) for name in ("page", "page/report.html")
    }


@pytest.mark.parametrize("verb", ["classify"])
def test_planted_matches(tmp_path, quick_program, verb):
    names = make_results(tmp_path / "results")
    done = subprocess.run(
        [quick_program, verb, "results", "--labels", "red star,blue ring", "--quiet", "--format", "json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode in {2, 3}, done.stderr
    assert "Traceback" not in done.stderr
    assert "bug in" not in done.stderr
    assert len(names) > 40
