"""Files to images: whatever a folder of photos may hold is read once, hashed, and decoded or refused in words."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import stat
import threading
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ExifTags, Image, UnidentifiedImageError

from vitequiv.errors import ImageError
from vitequiv.images.modes import UnsupportedModeError, to_rgb
from vitequiv.images.naming import shown
from vitequiv.images.preprocessing import MAX_PIXELS
from vitequiv.images.sniff import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "AVIF", "PPM", "ICO", "QOI", "PCX", "SGI")
"""Raster formats only. PostScript, PDF and WMF would start other programs; TGA and headerless bitmaps have no
signature, so that any file could be taken for one."""

MAX_BYTES = 1 << 30
"""Largest file read; 89 megapixels of uncompressed 16-bit RGBA have 0.7 GiB."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation to what makes the image upright."""

_ONE_AT_A_TIME = threading.Lock()
"""Python's warning filters and descriptor 2, which decoding changes for a moment, belong to the whole process."""

# Without a handler of its own Pillow's "More samples per pixel than can be decoded" would be printed by logging itself.
logging.getLogger("PIL").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class DecodedImage:
    """One file's pixels.

    Args:
        image: RGB, 8 bits, upright, loaded, without metadata.
        sha256: Hash of the file's bytes, in hexadecimal.
        notes: What was done to the pixels beyond decoding, a phrase each; empty for an ordinary photo.
    """

    image: Image.Image
    sha256: str
    notes: tuple[str, ...]


def _read(path: Path, name: str) -> bytes:
    # The bytes of a regular file; with O_NONBLOCK a pipe does not wait for its writer.
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(f"{name} does not exist; check the path") from None
    except PermissionError:
        raise ImageError(f"{name} may not be read by this user; change its permissions or copy it") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{name} cannot be opened ({_reason(error)}); check the path") from None
    try:
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_ISDIR(status.st_mode):
                raise ImageError(f"{name} is a folder, not an image; name a file in it")
            if not stat.S_ISREG(status.st_mode):
                raise ImageError(f"{name} is a device or pipe, not a file; save the image to a file first")
            if status.st_size > MAX_BYTES:
                raise ImageError(f"{name} has {status.st_size:,} bytes, more than the {MAX_BYTES:,} read; shrink it")
            data = file.read()
    except OSError as error:  # a directory fails here already in fdopen
        if isinstance(error, IsADirectoryError):
            raise ImageError(f"{name} is a folder, not an image; name a file in it") from None
        raise ImageError(f"{name} cannot be read ({_reason(error)}); check the disk or copy it") from None
    if not data:
        raise ImageError(f"{name} is empty (0 bytes); copy or export the image again")
    return data


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return shown(" ".join(text.split()))


@contextmanager
def _quiet() -> Iterator[None]:
    """Pillow's warnings off, except the one that guards the memory, which becomes an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


@contextmanager
def _no_stderr(active: bool) -> Iterator[None]:
    """Keep libtiff, which prints its errors itself, from the terminal; other threads' stderr is lost meanwhile."""
    try:
        saved = os.dup(2) if active else None
    except OSError:  # stderr is closed: nothing can be printed
        saved = None
    if saved is None:
        yield
        return
    try:
        with Path(os.devnull).open("wb") as devnull:
            os.dup2(devnull.fileno(), 2)
            yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _depth_notes(image: Image.Image, data: bytes) -> tuple[str, ...]:
    # Of 16-bit colour Pillow keeps the high byte, without a word; 16-bit grey is left to `to_rgb`.
    deep = (image.format == "PNG" and data[24:25] == b"\x10") or 16 in (getattr(image, "tag_v2", {}).get(258) or ())
    return ("16-bit colour reduced to its high byte",) if deep and not image.mode.startswith("I") else ()


def _orientation(image: Image.Image) -> int:
    with suppress(Exception):  # damaged EXIF must not cost the pixels
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
        return value if value in range(1, 9) else 1
    return 1


def _decode(data: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    # Pixels and notes; raises whatever Pillow raises.
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]
    opened = io.BytesIO(data)
    with _ONE_AT_A_TIME, _quiet(), Image.open(opened, formats=known) as image, _no_stderr(image.format == "TIFF"):
        if image.width * image.height > MAX_PIXELS:  # again, since Pillow's own limit can be switched off
            raise Image.DecompressionBombError
        orientation = _orientation(image)
        depth = _depth_notes(image, data)
        image.load()
        rgb, notes = to_rgb(image)
        notes = (*depth, *notes)
        if orientation != 1:
            # TIFF has turned itself while loading.
            rgb = rgb if image.format == "TIFF" else rgb.transpose(_TURNS[orientation])
            notes = (*notes, f"rotated by its EXIF orientation ({orientation})")
        with suppress(Exception):  # a later frame may be damaged; the first one is whole
            if (frames := getattr(image, "n_frames", 1)) > 1:
                notes = (f"first of {frames} frames", *notes)
        return rgb, notes


def load_image(path: str | Path, sha256: str | None = None) -> DecodedImage:
    """Read an image file.

    Formats are those of `FORMATS`. The first frame of an animation is taken; 16 bits are reduced to 8; greyscale,
    palettes, CMYK, YCbCr, LAB and HSV become RGB; transparency is composited on white; the EXIF orientation is applied.
    Each of these leaves a note. Colour profiles are ignored, as ordinary pipelines do.

    Args:
        path: The file.
        sha256: Hash that its bytes must have, or they are not decoded; None for any.

    Returns:
        The image with its hash and notes.

    Raises:
        ImageError: If it is another file than the hash says, or there is no readable, whole image of at most
            `MAX_PIXELS` pixels with an honest 8-bit version.
    """
    name = shown(path)
    data = _read(Path(path), name)
    found = hashlib.sha256(data).hexdigest()
    if sha256 is not None and found != sha256:
        raise ImageError(f"{name} is another file than when it was matched: put that one back.")
    try:
        rgb, notes = _decode(data)
    except UnidentifiedImageError:
        raise ImageError(f"{name} {describe(data)}") from None
    except UnsupportedModeError as error:
        raise ImageError(f"{name} holds {error}; convert it to an 8-bit PNG") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ImageError(f"{name} declares more than the {MAX_PIXELS:,} pixels decoded; shrink it first") from None
    except MemoryError:
        raise ImageError(f"{name} needs more memory than there is; shrink it first") from None
    except Exception as error:  # hostile bytes raise nearly anything: SyntaxError, KeyError, struct.error, ...
        raise ImageError(
            f"{name} is damaged or truncated and cannot be decoded ({_reason(error)}); copy or export it again"
        ) from None
    return DecodedImage(rgb, found, notes)
