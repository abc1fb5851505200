"""`vitequiv report` end to end: what is in the figure and in the page."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file, save_file

from vitequiv.cli.app import main
from vitequiv.plots.projection import principal_components, unit_rows
from vitequiv.tiny.render import write_scenes

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order; keeps texts, attributes and images."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.images: list[Image.Image] = []
        self.alts: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        values = dict(attrs)
        assert not any(name.startswith("on") for name in values), "a script"
        self.links += [value for name, value in attrs if name in {"src", "href", "srcset", "action", "data"}]
        if tag == "img":
            kind, _, data = values["src"].partition("base64,")
            assert kind == "data:image/png;"
            self.images.append(Image.open(io.BytesIO(base64.b64decode(data))))
            self.alts.append(values["alt"])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


def read(path: Path) -> Page:
    html = path.read_bytes().decode("ascii")
    assert html.startswith("<!DOCTYPE html>")
    page = Page(html)
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert not {"script", "link", "iframe", "base", "object"} & set(page.tags)
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|http", style)
    assert 'name="viewport"' in html
    return page


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A folder with two matches of scenes to one target, and their classification below them."""
    folder = tmp_path_factory.mktemp("report")
    scenes = write_scenes(folder / "all", 3, 6)
    named = [folder / f"{name}.png" for name in ("one", "a<b>&'c'", "tar$get")]
    for path, new in zip(scenes, named, strict=True):
        path.rename(new)
    labels = ",".join(f"{colour} {shape}" for colour in ("red", "green", "blue") for shape in ("star", "ring"))
    with pytest.MonkeyPatch.context() as patch:
        for arguments in (
            ["match", *named, "--out", folder / "saved", "--cosine", 0.9],
            ["classify", folder / "saved", "--out", folder / "saved/classes", "--labels", labels],
        ):
            patch.setattr(sys, "argv", ["vitequiv", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code
    return folder / "saved"


@pytest.fixture
def saved(original, run, tmp_path):
    """A copy of it in the current directory."""
    shutil.copytree(original, tmp_path / "saved")
    return Path("saved")


@pytest.mark.draws
def test_matches_and_classes(run, saved):
    done = run("report", saved)
    assert done.code == 0, done.err
    assert done.out.strip() == "2 matches, 1 classification: saved/report.png and saved/report.html"
    with Image.open(saved / "report.png") as figure:
        assert figure.format == "PNG"
        assert min(figure.size) > 1000
    page = read(saved / "report.html")
    # Four images a match, the embeddings, and the classes before and after.
    assert len(page.images) == 2 * 4 + 2
    assert page.tags.count("section") == 2
    assert page.tags.count("table") == 2
    # Names are text, whatever is in them.
    assert "a<b>&'c' → tar$get" in page.text
    assert "matched: a<b>&'c' → tar$get" in page.alts
    assert page.text.count("converged") >= 4
    record = json.loads((saved / "one_to_tar_get/match.json").read_text())
    assert f"{record['result']['cosine']['saved']:.4f}" in page.text

    # The images are those of the match.
    shown = page.images[page.alts.index("matched: one → tar$get")]
    with Image.open(saved / "one_to_tar_get/matched.png") as matched:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(matched))


def test_no_model_is_loaded(saved, run):
    code = (
        "import sys; from vitequiv.cli.app import main\n"
        "sys.argv = ['vitequiv', 'report', 'saved', '--format', 'json']\n"
        "try:\n    main()\nexcept SystemExit as e:\n    print(e.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    line, last = done.stdout.splitlines()
    assert json.loads(line)["matches"] == 2
    assert last in {"0 False", "None False"}


def test_failures_and_what_moved_are_shown_as_such(run, saved):
    for path in saved.glob("*/match.json"):
        record = json.loads(path.read_text())
        record["inputs"][1]["path"] = "gone.png"
        if path.parent.name == "one_to_tar_get":
            record["status"], record["message"] = "stalled", "The loss <stopped>."
        path.write_text(json.dumps(record))
    shutil.copytree(saved / "one_to_tar_get", saved / "interrupted")
    (saved / "interrupted/match.json").unlink()
    (saved / "broken").mkdir()
    (saved / "broken/match.json").write_text('{"schema": "other"')
    done = run("report", saved, "--out", "elsewhere")
    assert done.code == 0
    assert "2 matches, 1 classification, 3 failures" in done.out
    assert not (saved / "report.html").exists()
    page = read(Path("elsewhere/report.html"))
    assert "stalled: The loss <stopped>." in page.text
    assert "interrupted before match.json was written" in page.text
    assert "match.json cannot be shown" in page.text
    assert page.text.count("the file has moved or changed") == 2


@pytest.mark.parametrize("change", ["nan", "old"])
def test_embeddings_that_are_not_there(run, saved, change):
    for path in saved.glob("*/matched.safetensors"):
        tensors = load_file(path)
        if change == "nan":
            tensors["embedding_saved"][:] = np.nan
        else:  # as written before the start's embedding was saved
            del tensors["embedding_start"]
        save_file(tensors, path)
    assert run("report", saved).code == 0
    assert len(read(saved / "report.html").images) == 10


def test_only_statistics(run, photos):
    run("statistics", photos, "--count", 3, "--cosine", 0.5, "--out", "pairs")
    done = run("report", "pairs")
    assert done.out.strip() == "1 set of random pairs: pairs/report.html"
    page = read(Path("pairs/report.html"))
    assert "All 3 pairs were measured; " in page.text
    assert len(page.images) == 1
    before = Path("pairs/report.html").read_bytes()
    assert run("report", "pairs").code == 0  # again, over the older one
    assert Path("pairs/report.html").read_bytes() == before


def test_two_models_have_a_part_each(run, saved):
    path = saved / "one_to_tar_get/match.json"
    record = json.loads(path.read_text())
    record["model"]["spec"] = "swin:<other>"
    path.write_text(json.dumps(record))
    assert "2 matches" in run("report", saved).out
    page = read(saved / "report.html")
    assert page.tags.count("h2") == 2
    assert "swin:<other>" in page.text


VIEWS = {
    "a match": ("vitequiv.runs.report_html._match", "the match cannot be drawn", (0, 2, 2)),
    "the table of matches": ("vitequiv.runs.report_html._match_table", "the table of matches", (2, 1, 2)),
    "the embeddings": ("vitequiv.plots.report._draw_embeddings", "the figure of embeddings", (2, 2, 1)),
    "the table of classes": ("vitequiv.runs.report_html._class_table", "the table of classes", (2, 1, 2)),
    "the matrix": ("vitequiv.plots.report._draw_classes", "the matrix of classes", (2, 2, 1)),
    "the images": ("vitequiv.plots.report.draw_images", "the images cannot be drawn", (2, 2, 2)),
    "all of the figure": ("vitequiv.plots.report._compose", "the images cannot be drawn", (2, 2, 2)),
}
"""What fails; what is said; and how many matches, tables and plots the page has all the same."""


@pytest.mark.parametrize("view", list(VIEWS))
def test_a_view_that_cannot_be_drawn_costs_itself_alone(run, saved, monkeypatch, view):
    function, said, (matches, tables, plots) = VIEWS[view]

    def fail(*_: object, **__: object) -> str:
        raise MemoryError("no room for this")

    monkeypatch.setattr(function, fail)
    done = run("report", saved, "--format", "json")
    assert done.code == 0, done.err
    (line,) = done.lines()
    assert (line["matches"], line["classifications"]) == (2, 1)
    assert line["failures"] >= 1
    assert (saved / "report.png").exists() == (view != "all of the figure")
    page = read(saved / "report.html")
    assert said in page.text
    assert page.tags.count("section") == matches
    assert page.tags.count("table") - 1 == tables  # beside that of failures
    assert len(page.images) == 4 * matches + plots


@pytest.mark.parametrize("size", [[0, 64], [64, 0], [-1, 64], [1 << 40, 64], [64, 64, 64], [63, 64]])
def test_a_size_that_is_none(run, saved, size):
    path = saved / "one_to_tar_get/match.json"
    record = json.loads(path.read_text())
    record["model"]["input_size"] = size
    path.write_text(json.dumps(record))
    tensors = load_file(saved / "one_to_tar_get/matched.safetensors")
    tensors |= {name: np.zeros((3, 0, 64), dtype=np.float32) for name in ("start", "pixels")}
    save_file(tensors, saved / "one_to_tar_get/matched.safetensors")
    assert "1 match, 1 classification, 1 failure" in run("report", saved).out
    assert len(read(saved / "report.html").images) == 4 + 2


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [((), "DIR"), (("absent",), "no folder absent"), (("empty",), "nothing to report in empty")],
)
def test_nothing_to_report(run, tmp_path, arguments, fragment):
    (tmp_path / "empty").mkdir()
    done = run("report", *arguments)
    assert done.code == 2
    assert fragment in done.err
    assert list((tmp_path / "empty").iterdir()) == []


def test_principal_components_against_the_covariance():
    vectors = np.random.default_rng(0).normal(size=(12, 5)) @ np.diag([4, 3, 1, 0.5, 0.1])
    coordinates, shares = principal_components(vectors)
    values, directions = np.linalg.eigh(np.cov(vectors.T))
    expected = (vectors - vectors.mean(axis=0)) @ directions[:, ::-1][:, :2]
    np.testing.assert_allclose(np.abs(coordinates), np.abs(expected), atol=1e-12)
    np.testing.assert_allclose(shares, values[::-1][:2] / values.sum(), atol=1e-12)
    assert (coordinates[np.abs(coordinates).argmax(axis=0), [0, 1]] > 0).all()


def test_principal_components_of_too_little():
    coordinates, shares = principal_components(np.ones((3, 4)))
    assert not coordinates.any()
    assert not shares.any()
    np.testing.assert_array_equal(unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])
