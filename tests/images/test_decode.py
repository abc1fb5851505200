"""Every file is an image or one sentence."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.images.corpus import BAD, ODD, RGB, WHOLE_JPEG, WHOLE_PNG, encode, png
from tests.images.samples import PHOTOS, noise, photo
from vitequiv.errors import ImageError
from vitequiv.images.decode import FORMATS, DecodedImage, load_image
from vitequiv.images.modes import UnsupportedModeError, to_rgb
from vitequiv.images.suffixes import IMAGE_SUFFIXES


def _refusal(path: Path | str) -> str:
    with pytest.raises(ImageError) as caught:
        load_image(path)
    message = caught.value.message
    assert message.isprintable()
    assert "; " in message  # what and where; what to do
    assert not message.endswith(".")
    assert caught.value.__cause__ is None
    return message


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_in_one_sentence(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, expected = BAD[name]
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    message = _refusal(path)
    assert message.startswith(str(path))
    with pytest.raises(ImageError, match=expected):
        load_image(path)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_read_and_noted(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data, notes, pixels = ODD[name]
    path = tmp_path / "photo"  # the suffix does not matter
    path.write_bytes(data)
    decoded = load_image(str(path))
    assert decoded.notes == notes
    assert decoded.sha256 == hashlib.sha256(data).hexdigest()
    assert decoded.image.mode == "RGB"
    assert decoded.image.info == {}
    assert type(decoded.image) is Image.Image
    if pixels is not None:
        np.testing.assert_array_equal(np.asarray(decoded.image), np.asarray(pixels))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["YCbCr", "HSV"])  # Pillow 12 cannot read back its own YCbCr files
def test_other_colour_spaces_are_converted_as_pillow_does(mode: str) -> None:
    rgb, notes = to_rgb(RGB.convert(mode))
    assert notes == (f"{mode} converted to RGB",)
    assert rgb.tobytes() == RGB.convert(mode).convert("RGB").tobytes()


def test_a_mode_without_an_honest_conversion_is_refused() -> None:
    with pytest.raises(UnsupportedModeError, match=r"^pixels of mode La$"):
        to_rgb(Image.new("La", (2, 2), (9, 255)))


def test_lab_is_the_colour_it_was(tmp_path: Path) -> None:
    (tmp_path / "lab.tif").write_bytes(ODD["lab tiff"][0])
    # LAB with 8 bits a channel keeps about two levels of RGB.
    assert np.abs(np.asarray(load_image(tmp_path / "lab.tif").image).astype(int) - (200, 30, 60)).max() <= 3


def test_photos_are_read_without_notes() -> None:
    for name in PHOTOS:
        path = Path(skimage.data.__file__).with_name(name)
        decoded = load_image(path)
        assert decoded == DecodedImage(decoded.image, hashlib.sha256(path.read_bytes()).hexdigest(), ())
        assert decoded.image.tobytes() == photo(name).tobytes()


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 10))
def test_orientation_is_applied_once(orientation: int, format_: str, tmp_path: Path) -> None:
    upright = Image.new("RGB", (32, 48), "black")
    upright.paste("white", (0, 0, 16, 24))  # top left
    # How a camera held in this way stores it: the inverse of what EXIF asks for.
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = upright.transpose(stored[orientation]) if orientation in stored else upright
    path = tmp_path / "photo"
    path.write_bytes(encode(image, format_, exif=exif.tobytes(), quality=95))
    decoded = load_image(path)
    turned = (f"rotated by its EXIF orientation ({orientation})",) if orientation in stored else ()
    assert decoded.notes == turned
    assert decoded.image.size == upright.size
    # JPEG and AVIF are lossy; a quarter in the wrong corner would differ by 255.
    assert np.abs(np.asarray(decoded.image).astype(int) - np.asarray(upright)).mean() < 3


def test_missing_folder_and_names_that_cannot_be_files(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    assert "does not exist; check the path" in _refusal(tmp_path / "none.png")
    assert "does not exist; check the path" in _refusal(tmp_path / "file" / "none.png")
    assert "is a folder, not an image" in _refusal(tmp_path)
    assert _refusal("").startswith("'' is a folder")  # the empty path is the current folder
    assert "cannot be opened (File name too long)" in _refusal(tmp_path / ("x" * 300))
    assert r"a\x00b cannot be opened" in _refusal("a\0b")
    assert r"a\nb\udcff.png does not exist" in _refusal("a\nb\udcff.png")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(13, "Permission denied"), "may not be read by this user"),
        (OSError(5, "I/O error"), "I/O error"),
    ],
)
def test_errors_of_the_system(error: OSError, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr("vitequiv.images.decode.os.open", refuse)
    assert expected in _refusal(tmp_path / "photo.png")


def test_pipes_sockets_and_devices_do_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "is a device or pipe" in _refusal(tmp_path / "pipe.png")
    assert "is a device or pipe" in _refusal("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket.png"))
        assert "cannot be opened" in _refusal(tmp_path / "socket.png")


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: takes no room on disk
    assert "has 1,099,511,627,776 bytes" in _refusal(path)


def test_a_bomb_is_not_decoded_and_costs_no_memory(tmp_path: Path) -> None:
    row = b"\0" + bytes(30000)
    path = tmp_path / "bomb.png"
    path.write_bytes(png(10000, 10000, pixels=row * 10000))
    code = (
        "import resource, sys; from PIL import Image, ImageFile; from vitequiv.images.decode import load_image\n"
        "Image.init()\n"
        "ImageFile.ImageFile.load = lambda image: print('decoded')\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        "try: load_image(sys.argv[1])\n"
        "except Exception as error: print(type(error).__name__, peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    name, kibibytes = done.stdout.split()
    assert name == "ImageError"
    assert int(kibibytes) < 20_000  # decoded it would be 300 MB


def test_the_limit_holds_when_pillows_own_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "bomb.png").write_bytes(png(10000, 10000))
    assert "declares more than the 89,478,485 pixels" in _refusal(tmp_path / "bomb.png")


def test_running_out_of_memory_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("vitequiv.images.decode.to_rgb", fail)
    (tmp_path / "photo.png").write_bytes(WHOLE_PNG)
    assert "needs more memory than there is" in _refusal(tmp_path / "photo.png")


def test_formats_start_no_other_program() -> None:
    assert not {"EPS", "WMF", "PDF", "TGA"} & set(FORMATS)
    assert ".png" in IMAGE_SUFFIXES
    assert all(suffix == suffix.lower() and suffix.startswith(".") for suffix in IMAGE_SUFFIXES)


def test_works_without_stderr(tmp_path: Path) -> None:
    path = tmp_path / "photo.tif"
    path.write_bytes(encode(RGB, "TIFF", compression="tiff_lzw"))
    code = "import os, sys; from vitequiv.images.decode import load_image; os.close(2); load_image(sys.argv[1])"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 0


SEEDS = [
    WHOLE_PNG,
    WHOLE_JPEG,
    *(encode(noise(9, 7), name) for name in ("GIF", "BMP", "WEBP", "JPEG2000", "AVIF", "PPM", "ICO", "QOI", "PCX")),
    *(encode(RGB, "TIFF", compression=name) for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")),
    encode(RGB.convert("1"), "TIFF", compression="group4"),
    *(data for data, _, _ in ODD.values()),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 8))):
        # Headers are where the trouble is.
        place = draw(st.integers(0, min(len(data), 120 if draw(st.booleans()) else len(data)) - 1))
        data[place] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(1, len(data)))] if draw(st.integers(0, 3)) == 0 else data)


def _check_bytes(data: bytes, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path.write_bytes(data)
    with suppress(ImageError):
        assert load_image(path).image.tobytes()
    assert capfd.readouterr() == ("", "")


_FUZZ = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(_FUZZ, max_examples=1500)
@given(data=mutated())
def test_mutated_files_are_images_or_image_errors(
    data: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _check_bytes(data, tmp_path / "photo", capfd)


@settings(_FUZZ, max_examples=300)
@given(data=st.binary(min_size=1, max_size=200))
def test_random_bytes_are_images_or_image_errors(
    data: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _check_bytes(data, tmp_path / "photo", capfd)
