"""A pipe, a device, a folder or a link at every place where a file is read: never waited for, never swallowed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import CAT, COFFEE, PROGRAM
from tests.cli.test_report import read
from vitequiv.tiny.render import write_scenes

LABELS = ("--labels", "red star,blue ring")
QUICK = ("--cosine", "0.5", "--max-passes", "60")
ZERO = Path("/dev/zero")


def put(kind: str, path: Path) -> None:
    """Something that is no file in a file's place."""
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to(ZERO)
    else:
        path.mkdir()


KINDS = ["pipe", "device", "folder"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "arguments",
    [
        ("match", CAT, COFFEE, "--config", "strange"),
        ("classify", CAT, "--labels-file", "strange"),
        ("statistics", "photos", "--count", "1", "--labels-file", "strange"),
        ("match", CAT, "--target-embedding", "strange"),
        ("match", "--pairs", "strange"),
        ("interpolate", "--pairs", "strange"),
    ],
    ids=lambda arguments: f"{arguments[0]} {arguments[-2]}",
)
def test_named_by_the_user(run, tmp_path, photos, kind, arguments):
    put(kind, tmp_path / "strange")
    done = run(*arguments, "--out", "out", "--quiet")
    assert (done.code, done.out) == (2, "")
    assert "strange" in done.err
    assert done.err.count("\n") == 1
    what = {"pipe": "pipe", "device": "device", "folder": "irectory"}[kind]
    assert what in done.err, done.err


@pytest.fixture
def saved(run, tmp_path) -> Path:
    """A run of two matches, which can be resumed."""
    (tmp_path / "scenes").mkdir()
    scenes = write_scenes(tmp_path / "all", 3, 6)
    for path, name in zip(scenes, "abc", strict=True):
        shutil.copy(path, tmp_path / f"scenes/{name}.png")
    assert run(*AGAIN[:-1], "--quiet").code == 0
    return tmp_path / "out"


AGAIN = (
    "match",
    "scenes/a.png",
    "scenes/b.png",
    "scenes/c.png",
    *QUICK,
    "--out",
    "out",
    "--format",
    "json",
    "--resume",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a_to_c/match.json", "a_to_c/matched.png", "a_to_c/matched.safetensors"])
def test_an_item_of_a_run_is_done_again_with_a_line(run, saved, kind, name):
    before = (saved / "b_to_c/match.json").read_bytes()
    (saved / name).unlink()
    put(kind, saved / name)
    done = run(*AGAIN)
    if kind == "folder":  # cannot be replaced by a file: the item fails, in a sentence that says why
        assert done.code == 3 or name.endswith(("png", "safetensors"))
    else:
        assert done.code == 0, done.err
        assert "done again" in done.err
        assert (saved / name).is_file()
        assert not (saved / name).is_symlink()
    assert [line["item"] for line in done.lines()] == ["a_to_c", "b_to_c"]
    assert (saved / "b_to_c/match.json").read_bytes() == before
    assert "failed on this" not in done.out


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["match.run.json", "results.jsonl", ".vitequiv.lock"])
def test_a_file_of_a_run_is_refused_by_name(run, saved, kind, name):
    (saved / name).unlink(missing_ok=True)
    put(kind, saved / name)
    done = run(*AGAIN)
    assert (done.code, done.out) == ((3, "") if name == "results.jsonl" else (2, "")), done.err
    assert name in done.err
    assert "None" not in done.err
    assert done.err.splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a_to_c/match.json", "a_to_c/matched.safetensors"])
def test_what_a_report_reads(run, saved, kind, name):
    (saved / name).unlink()
    put(kind, saved / name)
    done = run("report", saved, "--format", "json")
    assert done.code == 0, done.err
    assert (done.lines()[0]["matches"], done.lines()[0]["failures"]) == (1, 1)
    assert "cannot be shown" in read(saved / "report.html").text


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_match_names(run, saved, tmp_path, kind):
    for name in ("c.png", "a.png"):
        (tmp_path / "scenes" / name).unlink()
        put(kind, tmp_path / "scenes" / name)
    done = run("report", saved)
    assert done.code == 0, done.err
    assert read(saved / "report.html").text.count("the file has moved or changed") == 2
    done = run("classify", saved, *LABELS, "--out", "classes", "--format", "json")
    assert done.code == 3
    (line,) = done.lines()
    assert {failure["name"] for failure in line["result"]["failures"]} == {"a", "c"}
    if kind == "folder":  # which is no target
        return
    done = run(*AGAIN)  # what cannot be read any more is not thrown away
    assert done.code == 0, done.err
    assert done.err.count("cannot be read any more; its result is kept") == 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["match.json", "matched.png"])
def test_what_classify_reads(run, saved, kind, name):
    (saved / "a_to_c" / name).unlink()
    put(kind, saved / "a_to_c" / name)
    done = run("classify", saved, *LABELS, "--out", "classes", "--format", "json")
    assert done.code == 3
    (line,) = done.lines()
    assert len(line["result"]["matches"]) == 1
    assert line["result"]["failures"]


@pytest.mark.parametrize("kind", KINDS)
def test_what_ldlc_reads_of_a_match(run, saved, kind):
    (saved / "a_to_c/matched.safetensors").unlink()
    put(kind, saved / "a_to_c/matched.safetensors")
    small = ("--directions", "match", "--count", 1, "--measured", 1, "--epsilon", 0.1)
    done = run("ldlc", "scenes/a.png", "--target", saved / "a_to_c", *small, "--out", "l", "--format", "json")
    assert done.code == 3
    assert "There is no match to read in" in done.lines()[0]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("verb", ["match", "classify"])
def test_settings_of_matplotlib_in_the_directory_are_not_read(tmp_path, kind, verb):
    put(kind, tmp_path / "matplotlibrc")
    arguments = {"match": (COFFEE, *QUICK), "classify": LABELS}[verb]
    done = subprocess.run(
        [PROGRAM, verb, CAT, *arguments, "--format", "json", "--quiet"],
        cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert "notes" not in json.loads(done.stdout)


# --- where a pipe is wanted


def rows(photos: Path, names: str) -> str:
    return "source,target\n" + "".join(f"{photos}/{name},{COFFEE}\n" for name in names.split())


@pytest.mark.parametrize("late", [0.0, 0.7])
def test_pairs_from_a_pipe(run, tmp_path, photos, late):
    os.mkfifo(tmp_path / "pairs")

    def write() -> None:
        time.sleep(late)
        (tmp_path / "pairs").write_text(rows(photos, "a.png b.jpg"))

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    done = run("match", "--pairs", "pairs", *QUICK, "--format", "json")
    writer.join(10)
    assert done.code == 0, done.err
    assert len(done.lines()) == 2
    assert "The pairs are read from the pipe pairs as they come, up to 268,435,456 bytes." in done.err


@pytest.mark.needs_program("bash")
def test_pairs_from_a_process_substitution(tmp_path, photos):
    (tmp_path / "rows.csv").write_text(rows(photos, "a.png"))
    script = f'"{PROGRAM}" match --pairs <(cat rows.csv) --cosine 0.5 --max-passes 60 --format json --quiet'
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "converged"


def test_an_endless_pipe_of_pairs_ends(run, tmp_path, monkeypatch):
    monkeypatch.setattr("vitequiv.runs.worklist.pairs_file.MAX_PAIRS_BYTES", 3_000_000)
    monkeypatch.setattr("vitequiv.files.streams.GRACE", 60)  # on a busy machine the writer may come late
    os.mkfifo(tmp_path / "pairs")

    def write() -> None:
        with (tmp_path / "pairs").open("wb") as file:
            file.write(b"source,target\n")
            try:
                while True:
                    file.write(b"x" * 65536)
            except BrokenPipeError:
                return

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    done = run("match", "--pairs", "pairs", "--quiet")
    writer.join(10)
    assert done.code == 2
    assert "it has more than the 3,000,000 bytes that are read" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_the_wait_for_a_pipe(tmp_path, number):
    os.mkfifo(tmp_path / "pairs")
    process = subprocess.Popen(
        [sys.executable, "-m", "vitequiv", "match", "--pairs", "pairs"], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    with (tmp_path / "pairs").open("w") as file:  # opened by both, and nothing is written
        assert process.stderr is not None
        assert "are read from the pipe" in process.stderr.readline()
        time.sleep(0.5)
        process.send_signal(number)
        assert process.wait(timeout=20) == 130
        assert process.stderr.read() == "Error: Interrupted.\n"
        process.stderr.close()
        del file


# --- a report shows nothing that was not named


@pytest.fixture
def secret(tmp_path) -> Path:
    """A picture that nobody named."""
    path = tmp_path / "secret.png"
    Image.effect_noise((64, 64), 80).convert("RGB").save(path)
    return path


def shown(page: Path, path: Path) -> bool:
    """Whether a picture is in a page."""
    with Image.open(path) as image:
        pixels = image.convert("RGB").tobytes()
    return any(one.size == (64, 64) and one.convert("RGB").tobytes() == pixels for one in read(page).images)


def edit(path: Path, change) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.mark.parametrize("sha256", [None, "", "0" * 64, "keep"])
def test_no_digest_no_picture(run, saved, secret, sha256):
    def change(record):
        record["inputs"][1] |= {"path": str(secret)} | ({} if sha256 == "keep" else {"sha256": sha256})
        record["inputs"][0] |= {"path": str(secret), "sha256": sha256}

    edit(saved / "a_to_c/match.json", change)
    assert run("report", saved).code == 0
    assert not shown(saved / "report.html", secret)
    assert shown(saved / "report.html", saved.parent / "scenes/c.png")  # as the other match names it
    done = run("classify", saved, *LABELS, "--out", "classes", "--format", "json")
    assert done.code == 3
    (line,) = done.lines()
    assert "secret" in json.dumps(line["result"]["failures"])
    assert str(secret) not in [image["path"] for image in line["result"]["images"]]


@pytest.mark.parametrize("name", ["matched.safetensors", "matched.png", "match.json"])
@pytest.mark.parametrize("whole", [False, True])
def test_links_out_are_refused(run, saved, tmp_path, name, whole):
    elsewhere = shutil.copytree(saved / "a_to_c", tmp_path / "elsewhere")
    if whole:
        shutil.rmtree(saved / "a_to_c")
        (saved / "a_to_c").symlink_to(elsewhere)
    else:
        (saved / "a_to_c" / name).unlink()
        (saved / "a_to_c" / name).symlink_to(elsewhere / name)
    done = run("report", saved, "--format", "json")
    assert done.code == 0
    (line,) = done.lines()
    assert line["matches"] == 1
    assert line["failures"] == (0 if whole else 1)  # a folder that is a link is not looked into at all
    done = run("classify", saved, *LABELS, "--out", "classes", "--format", "json")
    (line,) = done.lines()
    if whole or name != "matched.safetensors":  # which classify does not read
        assert done.code == 3
        assert [match["name"] for match in line["result"]["matches"]] == ["b → c"]
        assert "link" in json.dumps(line["result"]["failures"])
    if not whole:
        done = run(*AGAIN)
        assert done.code == 0
        assert "link" in done.err
        assert "done again" in done.err


def test_a_link_to_statistics_elsewhere(run, photos, tmp_path, secret):
    assert run("statistics", photos, "--count", 2, *QUICK, "--out", "pairs").code == 0
    plot = tmp_path / "pairs/tiny-clip/statistics.png"
    plot.unlink()
    plot.symlink_to(secret)
    done = run("report", "pairs", "--format", "json")
    assert done.code == 0
    assert (done.lines()[0]["statistics"], done.lines()[0]["failures"]) == (0, 1)
    assert read(tmp_path / "pairs/report.html").images == []
