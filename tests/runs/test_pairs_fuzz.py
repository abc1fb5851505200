"""Any pairs file is read or refused in a sentence, and what is read has names that are plain and different."""

from __future__ import annotations

import csv
import io

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitequiv.errors import UsageError
from vitequiv.runs.worklist.items import Broken
from vitequiv.runs.worklist.pairs_file import ANY_TARGET, pairs_from_csv

FUZZ = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
CELLS = st.one_of(
    st.text(max_size=12), st.sampled_from(["../../x", "/etc/passwd", "..", "a/../b", "CON", "-rf", ".ssh"])
)


def table(rows: list[list[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["source", "target", "name"], *rows])
    return text.getvalue().encode("utf-8", "surrogatepass")


def check(path, content: bytes) -> int:
    """How many rows were read."""
    path.write_bytes(content)
    try:
        entries = list(pairs_from_csv(path, ANY_TARGET).read())
    except UsageError as error:
        entries, message = [], error.message
    else:
        message = ""
    assert "\n" not in message
    names = [entry.name for entry in entries]
    assert len({name.casefold() for name in names}) == len(names)
    for entry in entries:
        assert "/" not in entry.name
        assert "\0" not in entry.name
        assert entry.name not in {"", ".", ".."}
        assert not entry.name.startswith((".", "-"))
        assert len(entry.name.encode()) < 255
        if isinstance(entry, Broken):
            assert "\n" not in entry.message
    return len(entries)


@settings(FUZZ, max_examples=300)
@given(st.lists(st.lists(CELLS, min_size=3, max_size=3), max_size=6))
def test_any_cells(tmp_path, rows):
    check(tmp_path / "p.csv", table(rows))


@settings(FUZZ, max_examples=300)
@given(st.binary(max_size=80), st.booleans())
def test_any_bytes(tmp_path, content, headed):
    check(tmp_path / "p.csv", (b"source,target,name\n" if headed else b"") + content)


def test_whole_rows_are_all_read(tmp_path):
    assert check(tmp_path / "p.csv", table([["a.png", "b.png", "../up"], ["a.png", "b.png", "../UP"]])) == 2
