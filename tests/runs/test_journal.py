"""`results.jsonl`: a torn line is mended, a line is never doubled, a full disk leaves no part of one."""

from __future__ import annotations

import errno
import json
import os

import pytest

from tests.runs.fakes import fake_context
from vitequiv.errors import OutputError
from vitequiv.results.envelope import Envelope
from vitequiv.results.status import Status
from vitequiv.runs.journal import Journal, mend


def envelope(item: str, message: str = "Done.", status: Status = Status.CONVERGED) -> Envelope:
    return fake_context().envelope(item, status, message, (), result={"x": [0.1, float("nan")]})


def lines(path) -> list[tuple[str, str]]:
    return [(r["item"], r["message"]) for r in map(json.loads, path.read_text().splitlines())]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b'{"a": 1}\n', b'{"a": 1}\n'),
        (b'{"a": 1}\n{"b"', b'{"a": 1}\n'),
        (b'{"a": 1}\n{"b": 2}', b'{"a": 1}\n{"b": 2}\n'),
        (b'{"b"', b""),
        (b'{"a": 1}\n\0\0\0\0', b'{"a": 1}\n'),
        (b'{"a": 1}\n{"b": "' + b"x" * 200_000, b'{"a": 1}\n'),
        (b'{"b": "' + b"x" * 200_000, b""),
    ],
    ids=["empty", "whole", "torn", "no-break", "only-torn", "zeros", "long-torn", "only-long-torn"],
)
def test_a_torn_last_line_is_mended(tmp_path, before, after):
    path = tmp_path / "results.jsonl"
    path.write_bytes(before)
    mend(path)
    assert path.read_bytes() == after


def test_no_list_needs_no_mending(tmp_path):
    mend(tmp_path / "results.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_lines_are_what_the_command_prints(tmp_path):
    path = tmp_path / "results.jsonl"
    journal = Journal(path, "match", known=False)
    journal.append(envelope("a"))
    assert json.loads(path.read_text()) == envelope("a").to_dict()  # before it is closed
    journal.close()


def test_what_is_there_is_not_written_twice_and_what_is_new_is(tmp_path):
    path = tmp_path / "results.jsonl"
    first = Journal(path, "match", known=False)
    for one in (envelope("a"), envelope("b", "No.", Status.FAILED), envelope("c")):
        first.append(one)
    first.close()
    path.write_text(path.read_text() + '{"schema": "vitequiv/ldlc/1", "item": "d"}\n[]\nnonsense\n{"torn')
    again = Journal(path, "match", known=True)
    for one in (envelope("a"), envelope("b"), envelope("c"), envelope("d")):
        again.append(one)
    again.close()
    found = [line for line in path.read_text().splitlines() if line.startswith('{"schema": "vitequiv/match/1"')]
    assert [json.loads(line)["item"] for line in found] == ["a", "b", "c", "b", "d"]


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path, monkeypatch):
    path = tmp_path / "results.jsonl"
    journal = Journal(path, "match", known=False)
    journal.append(envelope("a"))
    write, calls = os.write, []

    def full(descriptor: int, data: bytes) -> int:
        calls.append(len(data))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:20])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(
        OutputError, match="No space left on device; make room, then run the same command with --resume"
    ):
        journal.append(envelope("b"))
    monkeypatch.undo()
    journal.append(envelope("c"))
    journal.close()
    assert lines(path) == [("a", "Done."), ("c", "Done.")]


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 100_000,
        b'{"schema": "vitequiv/match/1", "item": []}',
        b'{"schema": 7}',
        b"7",
        b"\xff",
        b"1" * 9000,
        b"null",
    ],
)
def test_a_line_that_is_none_of_ours_costs_nothing(tmp_path, line):
    path = tmp_path / "results.jsonl"
    path.write_bytes(line + b"\n")
    journal = Journal(path, "match", known=True)
    journal.append(envelope("a"))
    journal.close()
    before, after = path.read_bytes().split(b"\n")[:2]
    assert before == line
    assert json.loads(after)["item"] == "a"


def test_a_line_longer_than_any_of_ours_is_passed_over_and_stays(tmp_path, monkeypatch):
    monkeypatch.setattr("vitequiv.runs.journal.MAX_JSON_BYTES", 70_000)
    path = tmp_path / "results.jsonl"
    long = b"x" * 300_000
    first = Journal(path, "match", known=False)
    first.append(envelope("a"))
    first.close()
    whole = path.read_bytes()
    path.write_bytes(long + b"\n" + whole + long)
    again = Journal(path, "match", known=True)
    again.append(envelope("a"))  # found behind the long one
    again.close()
    assert path.read_bytes() == long + b"\n" + whole + long + b"\n"


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_file_is_refused_by_name(tmp_path, kind):
    path = tmp_path / "results.jsonl"
    {"pipe": os.mkfifo, "folder": os.mkdir, "link": lambda path: path.symlink_to("/dev/null")}[kind](path)
    with pytest.raises(OutputError, match=r"results.jsonl is a (folder, device or pipe|link)"):
        Journal(path, "match", known=True)
