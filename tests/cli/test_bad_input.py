"""Wrong things typed on purpose: one sentence, the right exit code, never a traceback, nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.conftest import CAT, COFFEE, PROGRAM, folders

QUICK = ("--cosine", 0.8, "--format", "json")


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 10)) + chunk(b"IEND", b"")
    )


REFUSED = {
    "missing.png": (None, "missing.png"),
    "empty.png": (b"", "empty"),
    "truncated.png": (CAT.read_bytes()[:5000], "truncated"),
    "words.png": (b"This is not an image.\n" * 50, "not an image"),
    "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "not an image"),
    "nothing.png": (png_header(0, 0), "nothing.png"),
    "bomb.png": (png_header(10_000, 10_000), "pixels"),
}


@pytest.mark.parametrize("name", list(REFUSED))
@pytest.mark.parametrize("role", ["source", "target"])
def test_a_bad_image_is_one_sentence(run, tmp_path, name, role):
    content, fragment = REFUSED[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    paths = [name, COFFEE] if role == "source" else [CAT, name]
    done = run("match", *paths, *QUICK)
    (record,) = done.lines()
    assert done.code == 3
    assert record["status"] == "failed"
    assert fragment in record["message"]
    assert name in record["message"]
    assert "\n" not in record["message"]
    assert [i["role"] for i in record["inputs"]] == ["source", "target"]
    assert folders(tmp_path / "vitequiv-out") == []


def test_the_rest_of_a_batch_completes_and_every_failure_is_in_the_summary(run, tmp_path, photos):
    for name, (content, _) in REFUSED.items():
        if content is not None:
            (photos / name).write_bytes(content)
    done = run("match", photos, COFFEE, "--cosine", 0.8)
    assert done.code == 3
    bad = [name for name, (content, _) in REFUSED.items() if content is not None]
    for name in bad:
        assert any(line.startswith(Path(name).stem) and "failed" in line for line in done.out.splitlines()), name
    assert f"4 of {4 + len(bad)} written" in done.out


def variants(photo: Image.Image) -> dict[str, Image.Image]:
    """The same photo, stored in ways that have to be understood."""
    grey = np.asarray(photo.convert("L"))
    translucent = photo.copy()
    translucent.putalpha(200)
    return {
        "grey16.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "grey.png": photo.convert("L"),
        "cmyk.jpg": photo.convert("CMYK"),
        "palette.png": photo.quantize(256),
        "alpha.png": translucent,
    }


def test_unusual_images_are_handled(run, tmp_path):
    photo = Image.open(CAT).convert("RGB")
    for name, image in variants(photo).items():
        image.save(tmp_path / name)
    photo.save(tmp_path / "film.gif", save_all=True, append_images=[photo.rotate(90)])
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    photo.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    photo.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "upright.jpg", quality=95)
    names = [*variants(photo), "film.gif", "turned.jpg", "upright.jpg"]
    done = run("match", *names, COFFEE, *QUICK)
    assert done.code == 0, done.out + done.err
    records = {Path(r["inputs"][0]["path"]).name: r for r in done.lines()}
    assert set(records) == set(names)
    for name in ("grey16.png", "cmyk.jpg", "alpha.png", "film.gif", "turned.jpg"):
        assert records[name]["inputs"][0]["notes"], f"what was done to {name} must be said"
    turned, upright = (records[name]["result"]["cosine"]["initial"] for name in ("turned.jpg", "upright.jpg"))
    assert turned == pytest.approx(upright, abs=0.01)  # JPEG of the turned photo has other blocks


@pytest.mark.parametrize(
    ("arguments", "code", "fragments"),
    [
        ((), 2, ["SOURCE", "TARGET"]),
        ((CAT,), 2, ["SOURCE", "TARGET"]),
        ((CAT, "folder"), 2, ["TARGET", "one image"]),
        (("folder", CAT), 2, ["folder", "no image"]),
        (("*.webp", CAT), 2, ["*.webp", "no image"]),
        (("", CAT), 2, ["empty"]),
        (("-", CAT), 2, ["Standard input"]),
        (("--init", "noise"), 2, ["TARGET"]),
        ((CAT, COFFEE, "--pairs", "p.csv"), 2, ["--pairs"]),
        (("--pairs", "absent.csv"), 2, ["absent.csv"]),
        (("--pairs", "empty.csv"), 2, ["empty.csv"]),
        (("--pairs", "columns.csv"), 2, ["source,target"]),
        (("--pairs", "short.csv"), 2, ["Row 2"]),
        (("--pairs", "binary.csv"), 2, ["binary.csv"]),
        ((CAT, COFFEE, "--cosine", "1.5"), 2, ["--cosine"]),
        ((CAT, COFFEE, "--cosine", "nan"), 2, ["--cosine"]),
        ((CAT, COFFEE, "--residual", "0"), 2, ["--residual"]),
        ((CAT, COFFEE, "--step-size", "-1"), 2, ["--step-size"]),
        ((CAT, COFFEE, "--max-passes", "0"), 2, ["--max-passes"]),
        ((CAT, COFFEE, "--solver", "newton"), 2, ["no solver named 'newton'", "nystrom"]),
        ((CAT, COFFEE, "--sover", "gd"), 2, ["--sover"]),
        ((CAT, COFFEE, "--device", "tpu"), 2, ["tpu"]),
        ((CAT, COFFEE, "--device", "cuda:99"), 2, ["cuda:99"]),
        ((CAT, COFFEE, "--readout", "cls"), 2, ["cls", "projection"]),
        ((CAT, COFFEE, "--config", "absent.toml"), 2, ["absent.toml"]),
        ((CAT, COFFEE, "--config", "broken.toml"), 2, ["broken.toml", "TOML"]),
        ((CAT, COFFEE, "--config", "unknown.toml"), 2, ["cosin", "did you mean cosine"]),
        ((CAT, COFFEE, "--config", "badvalue.toml"), 2, ["max"]),
        ((CAT, COFFEE, "--config", "notable.toml"), 2, ["[match]"]),
        ((CAT, COFFEE, "--seed", str(2**64)), 2, ["--seed"]),
        ((CAT, COFFEE, "--out", "file/below"), 2, ["file/below", "--out"]),
        ((CAT, COFFEE, "--out", "file"), 2, ["file", "--out"]),
        ((CAT, COFFEE, "--out", "/proc/nowhere"), 2, ["/proc/nowhere", "--out"]),
        ((CAT, COFFEE, "--model", "biet"), 4, ["biet", "did you mean beit"]),
        ((CAT, COFFEE, "--model", "qqqqqq"), 4, ["qqqqqq", "tiny-clip"]),
        ((CAT, COFFEE, "--model", "beit:"), 4, ["NAME:CHECKPOINT"]),
        ((CAT, COFFEE, "--model", "beit:folder"), 4, ["folder"]),
        ((CAT, COFFEE, "--model", "timm"), 4, ["timm:"]),
    ],
)
def test_misuse(run, tmp_path, arguments, code, fragments):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("in the way")
    for name, text in {
        "p.csv": "source,target\na,b\n",
        "empty.csv": "",
        "columns.csv": "from,to\na,b\n",
        "short.csv": "source,target\na\n",
        "broken.toml": "seed = = 1",
        "unknown.toml": "[match]\ncosin = 0.9\n",
        "notable.toml": "match = 3\n",
        "badvalue.toml": "[match]\nmax-passes = 'many'\n",
    }.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "binary.csv").write_bytes(b"source,target\n\xff\xfe\x00,b\n")
    done = run("match", *arguments)
    assert done.code == code, done.err
    for fragment in fragments:
        assert fragment in done.err
    assert done.out == ""


@pytest.mark.needs_program("bash")
def test_a_closed_standard_input(tmp_path):
    done = subprocess.run(
        ["bash", "-c", f"'{PROGRAM}' match - '{COFFEE}' <&-"],
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Standard input is closed" in done.stderr


def test_names_that_are_not_utf8(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(os.fsencode(CAT), name)
    arguments = [os.fsencode(PROGRAM), b"match", name, name[:-4] + b"gone.png", os.fsencode(COFFEE)]
    done = subprocess.run(
        [*arguments, b"--cosine", b"0.8", b"--format", b"json"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3
    gone, there = sorted(
        (json.loads(line) for line in done.stdout.decode("ascii").splitlines()), key=lambda r: r["status"] != "failed"
    )
    assert there["status"] == "converged"
    assert os.fsencode(there["inputs"][0]["path"]) == name
    assert "does not exist" in gone["message"]


def test_source_equal_to_target(run, tmp_path):
    shutil.copy(CAT, tmp_path / "copy.png")
    done = run("match", CAT, "copy.png", COFFEE, "--cosine", 0.8, "--format", "json")
    assert done.code == 0, "different images to one target are fine"
    done = run("match", CAT, "copy.png", *QUICK)
    assert done.code == 3
    assert "the same image" in done.lines()[0]["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_is_one_sentence_and_130(tmp_path, photos, number):
    arguments = [
        PROGRAM,
        "match",
        photos,
        COFFEE,
        "--solver",
        "gd",
        "--step-size",
        "1e-9",
        "--batch-size",
        "1",
        "--quiet",
    ]
    process = subprocess.Popen(arguments, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    # The first item stalls after some hundred passes and is written; by then the run is well under way.
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("vitequiv-out/*/match.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.startswith("Error: Interrupted: all items that ended are in vitequiv-out; go on with: ")
    assert err.endswith(" --quiet --resume\n")
    assert err.count("\n") == 1
    ended = [json.loads(line)["item"] for line in (tmp_path / "vitequiv-out/results.jsonl").read_text().splitlines()]
    whole = [path.parent.name for path in tmp_path.glob("vitequiv-out/*/match.json")]
    assert sorted(ended) == sorted(whole)
    assert all((tmp_path / "vitequiv-out" / name / "matched.png").exists() for name in whole)


@pytest.mark.needs_program("bash")
def test_an_output_disk_that_is_full(tmp_path):
    """A file-size limit of 8 KiB stands for the full disk: matched.png and the tensors do not fit."""
    script = f"ulimit -f 8; exec '{PROGRAM}' match '{CAT}' '{COFFEE}' --cosine 0.8 --format json"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    record = json.loads(done.stdout)
    assert record["status"] == "failed"
    assert "annot write" in record["message"]
    assert not (tmp_path / "vitequiv-out/cat_to_coffee/match.json").exists()
    assert not [p for p in (tmp_path / "vitequiv-out").rglob("*") if p.name.startswith(".") and p.is_file()]
