"""What is in a folder, whatever its name and permissions."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitequiv.errors import UsageError
from vitequiv.images.folders import images_in, is_folder, is_image_name, is_there

IMPOSSIBLE = ["x" * 300, "a\0b", "\udcff" * 300, "x/" * 3000]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_names_that_no_file_can_have(tmp_path, name):
    assert not is_folder(tmp_path / name)
    assert not is_there(tmp_path / name)


def test_images_in(tmp_path):
    for name in ("b.png", "a.JPG", ".hidden.png", "._b.png", "notes.txt", "png"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "gone.png").symlink_to("nowhere")
    assert [path.name for path in images_in(tmp_path)] == ["a.JPG", "b.png"]


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr(Path, "iterdir", lambda _: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    with pytest.raises(UsageError, match=r"cannot be read \(Permission denied\): change its permissions") as error:
        images_in(tmp_path / "line\nbreak")
    assert r"line\nbreak" in error.value.message


@pytest.mark.parametrize(("name", "taken"), [("a.png", True), (".a.png", False), ("a.txt", False), (".png", False)])
def test_is_image_name(name, taken):
    assert is_image_name(Path(name)) == taken
