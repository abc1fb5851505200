"""Links that were planted in the output directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitequiv.errors import OutputError, VitequivError
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.inside import make_inside
from vitequiv.runs.journal import Journal
from vitequiv.runs.lock import hold


@pytest.fixture
def elsewhere(tmp_path) -> Path:
    """A folder with a file in it, neither of which may be touched."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "match.json").write_text("precious")
    return folder


@pytest.mark.parametrize("link", ["../elsewhere", "absolute", "../out/../elsewhere"])
def test_an_item_that_leads_out_is_refused(tmp_path, elsewhere, link):
    out = tmp_path / "out"
    out.mkdir()
    (out / "item").symlink_to(elsewhere if link == "absolute" else link)
    with pytest.raises(OutputError, match="a link that leads out of the run's directory"):
        RunDirectory(out, "match").begin("item")
    assert (elsewhere / "match.json").read_text() == "precious"
    assert [path.name for path in elsewhere.iterdir()] == ["match.json"]


def test_the_directory_itself_may_be_a_link_and_so_may_one_within_it(tmp_path):
    (tmp_path / "real/other").mkdir(parents=True)
    (tmp_path / "out").symlink_to("real")
    (tmp_path / "real/item").symlink_to("other")
    assert RunDirectory(tmp_path / "out", "match").begin("item") == tmp_path / "out/item"
    assert RunDirectory(tmp_path / "out", "match").begin("new").is_dir()


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "item").symlink_to("nowhere")
    with pytest.raises(OutputError, match="item"):
        RunDirectory(tmp_path, "match").begin("item")


def test_preparing_touches_nothing_through_links(tmp_path, elsewhere):
    out = tmp_path / "out"
    out.mkdir()
    for name in (".vitequiv-writable", ".vitequiv-probe"):
        (out / name).symlink_to(elsewhere / "new")
    RunDirectory(out, "match").prepare(["item"], overwrite=False)
    assert not (elsewhere / "new").exists()


def test_make_inside_below_an_item(tmp_path, elsewhere):
    (tmp_path / "out/item").mkdir(parents=True)
    (tmp_path / "out/item/vectors").symlink_to(elsewhere)
    with pytest.raises(OutputError, match="vectors"):
        make_inside(tmp_path / "out/item/vectors", tmp_path / "out")


@pytest.mark.parametrize("name", ["results.jsonl", ".vitequiv.lock"])
def test_files_that_stay_open_are_no_links(tmp_path, elsewhere, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).symlink_to(elsewhere / "match.json")
    with pytest.raises(VitequivError, match="is a link, which is not written through"), hold(out):
        Journal(out / "results.jsonl", "match", known=False)
    assert (elsewhere / "match.json").read_text() == "precious"
