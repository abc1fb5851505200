"""Names and pairs are read as they come; a bad one costs itself alone."""

from __future__ import annotations

import io
import os
from itertools import islice
from pathlib import Path

import pytest

from vitequiv.errors import UsageError
from vitequiv.runs.worklist.images import images_from_paths
from vitequiv.runs.worklist.items import Broken
from vitequiv.runs.worklist.names import Numbering
from vitequiv.runs.worklist.pairs import pairs_from_paths
from vitequiv.runs.worklist.pairs_file import pairs_from_csv
from vitequiv.runs.worklist.stdin import read_names


@pytest.mark.parametrize(
    ("chunks", "names"),
    [
        ([b"a\nb\n"], ["a", "b"]),
        ([b"a\r\nb\r\n"], ["a", "b"]),
        ([b"a\n\n\nb"], ["a", "b"]),
        ([b"a\0b\nc\0"], ["a", "b\nc"]),
        ([b"a", b"b\nc", b"d"], ["ab", "cd"]),
        ([b"caf\xe9.png\n"], ["caf\udce9.png"]),
        ([b"\n"], []),
        ([b""], []),
    ],
)
@pytest.mark.parametrize("descriptor", [True, False])
def test_names(chunks, names, descriptor):
    if not descriptor:
        stream = io.StringIO(os.fsdecode(b"".join(chunks)))
        assert list(read_names(stream)) == names
        return
    read, write = os.pipe()
    for chunk in chunks:
        os.write(write, chunk)
    os.close(write)
    with os.fdopen(read) as stream:
        assert list(read_names(stream)) == names


def test_a_name_comes_before_the_pipe_ends():
    read, write = os.pipe()
    with os.fdopen(read) as stream, os.fdopen(write, "wb", buffering=0) as pipe:
        pipe.write(b"first.png\nsec")
        work = images_from_paths(["-"], stream)
        items = work.read()
        assert next(items).name == "first"
        pipe.write(b"ond.png\n")
        assert next(items).name == "second"
    assert work.live


def test_the_target_on_standard_input_is_left_out_as_it_comes(tmp_path):
    target = tmp_path / "t.png"
    target.write_bytes(b"")
    said: list[str] = []
    work = pairs_from_paths(["-", str(target)], io.StringIO(f"a.png\n{target}\nb.png\n"), said.append)
    assert [pair.name for pair in work.read()] == ["a_to_t", "b_to_t"]
    assert len(said) == 1


@pytest.mark.parametrize(("paths", "fragment"), [(["-", "-"], "once"), (["-"], "no image")])
def test_what_is_no_list_of_names(paths, fragment):
    with pytest.raises(UsageError, match=fragment):
        images_from_paths(paths, io.StringIO(""))


def test_names_of_the_directorys_own_files_are_taken():
    number = Numbering()
    names = ["results.jsonl", "RESULTS.jsonl", "match.run.json", "a", "A", "a-2", "a"]
    assert [number(name) for name in names] == [
        "results.jsonl-2", "RESULTS.jsonl-3", "match.run.json-2", "a", "A-2", "a-2-2", "a-3",
    ]  # fmt: skip


def test_many_equal_names_are_numbered_in_linear_time():
    number = Numbering()
    assert [number("same") for _ in range(50_000)][-1] == "same-50000"


GOOD = b"source,target\na,b\n"


@pytest.mark.parametrize(
    ("row", "fragment"),
    [
        (b"c\n", "lacks a source or a target"),
        (b",d\n", "lacks a source or a target"),
        (b"c\0x,d\n", "lacks a source or a target"),
        (b"caf\xe9,d\n", "is not in UTF-8"),
        (b'c"x"y,"d"e\n', "is not CSV"),
        (b"x" * 200_000 + b",d\n", "is not CSV"),
    ],
)
def test_a_broken_row_is_an_item_that_fails(tmp_path, row, fragment):
    path = tmp_path / "pairs.csv"
    path.write_bytes(GOOD + row + b"e,f\n")
    first, broken, last = pairs_from_csv(path).read()
    assert (first.name, last.name) == ("a_to_b", "e_to_f")
    assert isinstance(broken, Broken)
    assert broken.name == "row-3"
    assert broken.message.startswith("Row 3 of the pairs file ")
    assert fragment in broken.message
    # In the first row it is a mistake in the whole file.
    path.write_bytes(b"source,target\n" + row)
    with pytest.raises(UsageError, match="Row 2"):
        pairs_from_csv(path)


@pytest.mark.parametrize("end", [b"", b"\n\n", b"\r\n"])
def test_empty_lines_are_none(tmp_path, end):
    path = tmp_path / "pairs.csv"
    path.write_bytes(GOOD + end)
    assert [pair.name for pair in pairs_from_csv(path).read()] == ["a_to_b"]


def test_rows_are_read_one_by_one_and_the_file_again_from_its_beginning(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_bytes(GOOD + b"c,d\n" * 100_000)
    work = pairs_from_csv(path)
    assert not work.live
    for _ in range(2):
        assert [pair.name for pair in islice(work.read(), 3)] == ["a_to_b", "c_to_d", "c_to_d-2"]


def test_pairs_from_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    # Opened for both, so that neither end waits for the other.
    descriptor = os.open(pipe, os.O_RDWR)
    os.write(descriptor, GOOD + b"c,d\n")
    work = pairs_from_csv(Path(pipe))
    assert work.live
    os.close(descriptor)
    assert [pair.name for pair in work.read()] == ["a_to_b", "c_to_d"]
