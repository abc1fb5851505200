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
