"""What a file is that Pillow could not open, from its first bytes."""

from __future__ import annotations

import struct

_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x7fELF", "a program"),
)
_MARKUP = ((b"<svg", "an SVG drawing"), (b"<!doctype html", "a web page"), (b"<html", "a web page"), (b"<?xml", "XML"))
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"RIFF", "WebP"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"qoif", "QOI"),
)


def _declared_size(data: bytes) -> tuple[int, int] | None:
    # (width, height) in the header, for the formats that keep it in one place.
    for magic, layout, offset in ((b"\x89PNG", ">II", 16), (b"GIF8", "<HH", 6), (b"BM", "<ii", 18)):
        if data.startswith(magic) and len(data) >= offset + struct.calcsize(layout):
            width, height = struct.unpack_from(layout, data, offset)
            return width, height
    return None


def describe(data: bytes) -> str:
    """Say what is wrong with bytes that no decoder recognised.

    Args:
        data: The whole file, not empty.

    Returns:
        The middle of a sentence, to follow the file's name: what it is and what to do.
    """
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    name = next((name for magic, name in _SIGNATURES if data.startswith(magic)), None)
    name = name or next((name for tag, name in _MARKUP if head.lower().startswith(tag)), None)
    if name is not None:
        return f"is {name}, not an image; give a PNG, JPEG, WebP or TIFF file"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        return "is a HEIF image, which Pillow does not read; convert it to PNG or JPEG"
    if (size := _declared_size(data)) is not None and 0 in size:
        return f"declares {size[0]} x {size[1]} pixels, so there is nothing in it; export the image again"
    if (image := next((name for magic, name in _IMAGES if data.startswith(magic)), None)) is not None:
        return f"begins as {image} but its header is damaged or cut short; copy or export the image again"
    text = data[:512].decode("utf-8", "replace").rstrip("\ufffd")  # the cut may fall inside a character
    readable = "\ufffd" not in text and all(char.isprintable() or char.isspace() for char in text)
    kind = "is text" if readable else "is in no format known to vitequiv"
    return f"{kind}, not an image; give a PNG, JPEG, WebP or TIFF file"
