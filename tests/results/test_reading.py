"""Reading results that were edited, cut, planted, or never were results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.corpus.make_corpus import RESULTS
from vitequiv.errors import ImageError
from vitequiv.results.reading import artifact, read_json, read_regular
from vitequiv.runs.saved_matches import read_match

FUZZ = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WHOLE = {
    "schema": "vitequiv/match/1",
    "inputs": [{"role": "source", "path": "s.png", "sha256": "0"}, {"role": "target", "path": "t.png", "sha256": "0"}],
    "settings": {},
    "model": {"spec": "tiny-clip"},
    "artifacts": {"matched": "matched.png"},
    "status": "converged",
}


def read(folder: Path, content: bytes) -> str:
    """Read it as a match; the sentence of the error, or nothing."""
    (folder / "match.json").write_bytes(content)
    try:
        read_match(folder)
    except ImageError as error:
        return error.message
    return ""


def test_a_whole_one(tmp_path):
    assert read(tmp_path, json.dumps(WHOLE).encode()) == ""


@pytest.mark.parametrize("name", list(RESULTS))
def test_what_no_verb_wrote(tmp_path, name):
    message = read(tmp_path, RESULTS[name])
    assert "match.json" in message
    assert message.isprintable()


@settings(FUZZ, max_examples=200)
@given(st.binary(max_size=60))
def test_any_bytes(tmp_path, content):
    assert read(tmp_path, content).isprintable()


@settings(FUZZ, max_examples=400)
@given(st.sampled_from(list(WHOLE)), VALUES)
def test_any_value_in_any_place(tmp_path, key, value):
    assert read(tmp_path, json.dumps({**WHOLE, key: value}).encode()).isprintable()


@settings(FUZZ, max_examples=400)
@given(st.sampled_from(["role", "path", "sha256"]), VALUES)
def test_any_value_of_an_input(tmp_path, key, value):
    inputs = [{**entry, key: value} for entry in WHOLE["inputs"]]
    assert read(tmp_path, json.dumps({**WHOLE, "inputs": inputs}).encode()).isprintable()


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b", 7, None, ["x"]])
def test_an_artifact_elsewhere(tmp_path, name):
    with pytest.raises(ValueError, match="no file of its folder"):
        artifact(tmp_path, name)
    message = read(tmp_path, json.dumps({**WHOLE, "artifacts": {"matched": name}}).encode())
    assert "match.json" in message


@settings(deadline=None)
@given(st.text(max_size=30))
def test_an_artifact_is_in_its_folder(name):
    folder = Path("/somewhere/item")
    try:
        path = artifact(folder, name)
    except ValueError:
        return
    assert path.parent == folder
    assert path.name not in {"", ".", ".."}


def test_pipes_devices_and_huge_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ValueError, match="device or pipe"):
            read_json(path)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ValueError, match="more than"):
        read_regular(tmp_path / "sparse", 9)
