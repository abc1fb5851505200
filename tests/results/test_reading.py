"""Reading results that were edited, cut, planted, or never were results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.corpus.make_corpus import RESULTS
from tests.results.make_earlier import EARLIER
from vitequiv._version import __version__
from vitequiv.errors import ImageError
from vitequiv.files.reading import FileError, NoFileError, read_json, read_regular, read_text
from vitequiv.results.reading import artifact
from vitequiv.runs.saved_matches import read_match

FUZZ = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WHOLE = json.loads((EARLIER / __version__ / "a_to_b/match.json").read_text())


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


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_link_out_of_the_folder_is_no_artifact(tmp_path, kind):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/matched.png").write_bytes(b"secret")
    folder = tmp_path / "item"
    folder.mkdir()
    (folder / "matched.png").symlink_to(tmp_path / "elsewhere" / ("matched.png" if kind == "file" else ""))
    with pytest.raises(ValueError, match="link that leads out"):
        artifact(folder, "matched.png")
    assert "link that leads out" in read(folder, json.dumps(WHOLE).encode())
    (folder / "matched.png").unlink()
    (folder / "real.png").write_bytes(b"ours")
    (folder / "matched.png").symlink_to("real.png")
    assert artifact(folder, "matched.png").read_bytes() == b"ours"
    (folder / "real.png").unlink()
    (folder / "real.png").symlink_to("matched.png")  # in a circle
    with pytest.raises(ValueError, match="link that leads out"):
        artifact(folder, "matched.png")


def test_a_match_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    assert read(tmp_path / "elsewhere", json.dumps(WHOLE).encode()) == ""
    (tmp_path / "run/item").mkdir(parents=True)
    (tmp_path / "run/item/match.json").symlink_to(tmp_path / "elsewhere/match.json")
    (tmp_path / "run/folder").symlink_to(tmp_path / "elsewhere")
    for name in ("item", "folder"):
        with pytest.raises(ImageError, match="link that leads elsewhere"):
            read_match(tmp_path / "run" / name, tmp_path / "run")


@pytest.mark.parametrize("read", [read_json, read_text, lambda path: read_regular(path, 9)])
def test_pipes_devices_folders_and_huge_files(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(FileError, match="device or pipe"):
            read(path)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FileError, match="more than the"):
        read(tmp_path / "sparse")
    with pytest.raises(FileError, match="Is a directory"):
        read(tmp_path)
    for name in ("none", "none/none", "a\0b", "\ud800"):
        with pytest.raises(NoFileError):
            read(tmp_path / name)


def test_a_file_that_lies_about_its_size(tmp_path):
    assert Path("/proc/self/maps").stat().st_size == 0
    assert read_regular(Path("/proc/self/stat"), 1 << 20)
    with pytest.raises(FileError, match="more than the 9 bytes"):
        read_regular(Path("/proc/self/maps"), 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 64 + "]" * 64, ""),
        ("[" * 65 + "]" * 65, "more than 64 deep"),
        ('{"a":' * 900 + "1" + "}" * 900, "more than 64 deep"),
        ("[" * 100_000, "more than 64 deep"),
        ("1" * 5000, "number that is too long"),
        ("{", "not JSON"),
        ("", "not JSON"),
        ("\ufeff{}", "not JSON"),
    ],
)
def test_depth_and_numbers_are_bounded(tmp_path, text, message):
    (tmp_path / "a.json").write_text(text)
    if not message:
        assert read_json(tmp_path / "a.json")
        return
    with pytest.raises(FileError, match=message):
        read_json(tmp_path / "a.json")
