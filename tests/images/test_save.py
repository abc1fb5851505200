"""Files are whole or not there, and the system's refusal is one sentence."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from tests.images.samples import noise
from vitequiv.errors import OutputError
from vitequiv.images.save import atomic_write_bytes, save_json, save_png, save_tensors


def _refusal(path: Path | str) -> str:
    with pytest.raises(OutputError) as caught:
        atomic_write_bytes(path, b"new")
    message = caught.value.message
    assert message.startswith("cannot write ")
    assert message.isprintable()
    assert "; " in message
    return message


def test_writes_makes_folders_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ("x" * 251 + ".bin")  # as long as a name may be
    for data in (b"old", b"new"):
        atomic_write_bytes(path, data)
        assert path.read_bytes() == data
    assert list(path.parent.iterdir()) == [path]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic_write_bytes(str(tmp_path / "file"), b"")
    finally:
        os.umask(old)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "No space left on device; free space or choose another --out"),
        (errno.EACCES, "Permission denied; change the permissions or choose another --out"),
        (errno.EROFS, "Read-only file system; choose another --out"),
        (errno.EIO, "Input/output error; choose another --out"),
    ],
)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_refusals_name_the_remedy_and_keep_the_old_file(
    number: int, remedy: str, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "match.json"
    atomic_write_bytes(path, b"old")

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), refuse)
    assert _refusal(path) == f"cannot write {path}: {remedy}"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write_bytes(tmp_path / "file", b"new")
    assert not list(tmp_path.iterdir())


def test_paths_that_cannot_be_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "full").touch()
    assert "a file is where a folder should be" in _refusal(tmp_path / "file" / "out.png")
    assert "a file is where a folder should be" in _refusal(tmp_path / "file" / "deeper" / "out.png")
    assert "a folder is where the file should be" in _refusal(tmp_path / "folder")
    assert "File name too long; choose a shorter --out" in _refusal(tmp_path / ("x" * 300))
    assert r"a\x00b" in _refusal("a\0b")
    assert "cannot write /proc/nothing/out.png: " in _refusal("/proc/nothing/out.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_real_limit_on_file_sizes(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from vitequiv.images.save import atomic_write_bytes\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: atomic_write_bytes(sys.argv[1], bytes(5000))\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    path = tmp_path / "out.png"
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == (
        f"OutputError cannot write {path}: File too large; "
        "raise the limit on file sizes (ulimit -f) or choose another --out\n"
    )
    assert not list(tmp_path.iterdir())


def test_png_is_exact_and_deterministic(tmp_path: Path) -> None:
    levels = np.asarray(noise(30, 40))
    save_png(tmp_path / "a.png", levels)
    save_png(tmp_path / "b.png", np.asfortranarray(levels))
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(image), levels)
    with pytest.raises(ValueError, match="expected uint8 of shape"):
        save_png(tmp_path / "c.png", levels.astype(np.float32))  # type: ignore[arg-type]


def test_tensors_keep_values_names_and_metadata(tmp_path: Path) -> None:
    batch = torch.rand(2, 3, 4, requires_grad=True, generator=torch.Generator().manual_seed(0))
    tensors = {"transposed": batch.T if batch.ndim == 2 else batch.permute(2, 0, 1), "first": batch[0]}
    save_tensors(tmp_path / "out.safetensors", tensors, {"verb": "match", "model": "tiny"})
    with safe_open(tmp_path / "out.safetensors", "pt") as file:
        assert file.metadata() == {"verb": "match", "model": "tiny"}
        assert set(file.keys()) == set(tensors)
        for name, tensor in tensors.items():
            assert torch.equal(file.get_tensor(name), tensor)


def test_tensors_that_share_memory_are_written_each(tmp_path: Path) -> None:
    whole = torch.arange(6.0).view(2, 3)
    save_tensors(tmp_path / "out.safetensors", {"whole": whole, "row": whole[1], "again": whole})
    found = load_file(tmp_path / "out.safetensors")
    assert torch.equal(found["row"], whole[1])
    assert torch.equal(found["again"], whole)


def test_tensors_are_deterministic_across_processes(tmp_path: Path) -> None:
    code = (
        "import sys, torch; from vitequiv.images.save import save_tensors\n"
        "save_tensors(sys.argv[1], {c: torch.ones(2) for c in 'xyz'}, {k: k for k in 'abcdefgh'})"
    )
    contents = []
    for name in ("first", "second"):
        subprocess.run([sys.executable, "-c", code, str(tmp_path / name)], check=True)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


def test_json_is_strict_ordered_and_ends_in_a_newline(tmp_path: Path) -> None:
    value = {
        "b": [1, math.nan, (math.inf, -math.inf)],
        "a": {"é": 0.5, "none": None, "yes": True},
        "n": np.float64("nan"),
    }
    save_json(tmp_path / "match.json", value)
    text = (tmp_path / "match.json").read_text()
    assert text.endswith("}\n")
    assert text.startswith('{\n  "b": [\n    1,\n    null,')
    expected = {"b": [1, None, [None, None]], "a": {"é": 0.5, "none": None, "yes": True}, "n": None}
    assert json.loads(text) == expected
    assert list(json.loads(text)) == ["b", "a", "n"]
    save_json(tmp_path / "name.json", {"path": "a\udcff.png"})  # a file name that is no UTF-8
    assert json.loads((tmp_path / "name.json").read_text()) == {"path": "a\udcff.png"}


def test_json_of_other_objects_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        save_json(tmp_path / "out.json", {"x": object()})
    assert not list(tmp_path.iterdir())
