"""Long files and pipes, row by row."""

from __future__ import annotations

import io
import os
import threading
import time
from pathlib import Path

import pytest

from vitequiv.files.reading import FileError, NoFileError
from vitequiv.files.streams import bounded_lines, is_pipe, open_stream


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [b"a\n", b"b\n"]),
        (b"a\nb", [b"a\n", b"b"]),
        (b"1234567\n", [b"1234567\n"]),
        (b"12345678\nb\n", [None, b"b\n"]),
        (b"x" * 200_000 + b"\nb\n", [None, b"b\n"]),
        (b"a\n" + b"x" * 200_000, [b"a\n", None]),
        (b"\n\n", [b"\n", b"\n"]),
    ],
)
def test_lines_are_bounded(data, lines):
    assert list(bounded_lines(io.BufferedReader(io.BytesIO(data)), 8)) == lines


def test_a_file_is_read_up_to_its_bound(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100_000)
    with open_stream(tmp_path / "a", 100_000) as file:
        assert file.read() == b"x" * 100_000
    with open_stream(tmp_path / "a", 99_999) as file, pytest.raises(FileError, match="more than the 99,999 bytes"):
        file.read()


def test_a_pipe_is_read_as_it_comes(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert is_pipe(tmp_path / "pipe")
    assert not is_pipe(tmp_path)
    assert not is_pipe(tmp_path / "none")
    go = threading.Event()

    def write() -> None:
        with (tmp_path / "pipe").open("wb", buffering=0) as file:
            file.write(b"first\n")
            go.wait(10)
            time.sleep(0.2)  # the reader waits for this
            file.write(b"second\n")

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with open_stream(tmp_path / "pipe", 100) as file:
        assert file.readline() == b"first\n"
        go.set()
        assert file.readline() == b"second\n"
        assert file.readline() == b""
    writer.join(10)


def test_what_is_no_stream(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    for path, said in (
        (tmp_path / "pipe", "pipe that nobody writes to"),
        (Path("/dev/zero"), "device"),
        (tmp_path, "Is a directory"),
    ):
        with pytest.raises(FileError, match=said):
            open_stream(path, 10)
    with pytest.raises(NoFileError):
        open_stream(tmp_path / "none", 10)
    assert time.monotonic() - began < 20
