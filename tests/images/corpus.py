"""Bytes of odd and of bad image files, made by Pillow and by hand."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from tests.images.samples import noise


def encode(image: Image.Image, format_: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, pixels: bytes = b"") -> bytes:
    """A PNG with any header; `pixels` are its scan lines with their filter bytes."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = png_chunk(b"IDAT", zlib.compress(pixels))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + body + png_chunk(b"IEND", b"")


RGB = noise(24, 20)
GREY = RGB.convert("L")
WHOLE_PNG, WHOLE_JPEG = encode(RGB, "PNG"), encode(RGB, "JPEG")
DEEP = np.random.default_rng(0).integers(0, 65536, (24, 20), dtype=np.uint16)


def _lab() -> Image.Image:
    convert = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    result = ImageCms.applyTransform(Image.new("RGB", (20, 24), (200, 30, 60)), convert)
    assert result is not None
    return result


def _gif_with_a_frame_beyond_its_screen() -> bytes:
    data = bytearray(encode(Image.new("P", (4, 4)), "GIF"))
    frame = data.index(b"\x2c")
    data[frame + 5 : frame + 9] = struct.pack("<HH", 60000, 60000)
    return bytes(data)


def _ico_with_a_bomb() -> bytes:
    bomb = png(10000, 10000)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(bomb), 22) + bomb


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"is empty \(0 bytes\)"),
    "text": (b"a note to myself\n" * 9, "is text, not an image"),
    "utf-8 text": (("Grüße, 世界 " * 200).encode(), "is text, not an image"),
    "html": (b"\n<!DOCTYPE html><html></html>", "is a web page, not an image"),
    "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "is a PDF document"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "is a PostScript file"),
    "zip": (b"PK\x03\x04" + bytes(40), "is a ZIP archive"),
    "numpy": (b"\x93NUMPY\x01\x00" + bytes(40), "is a NumPy array"),
    "heif": (b"\0\0\0\x18ftypheic" + bytes(40), "is a HEIF image"),
    "zeros": (bytes(300), "is in no format known"),
    "random": (np.random.default_rng(1).bytes(300), "is in no format known"),
    "png signature only": (WHOLE_PNG[:8], "begins as PNG but its header is damaged"),
    "png header cut": (WHOLE_PNG[:20], r"is damaged or truncated .*\(Truncated File Read\)"),
    "png truncated": (WHOLE_PNG[: len(WHOLE_PNG) // 2], r"is damaged or truncated .*\(.*truncated"),
    "png without pixels": (png(20, 24), "is damaged or truncated"),
    "png header checksum": (WHOLE_PNG[:30] + b"\0\0" + WHOLE_PNG[32:], "begins as PNG but its header is damaged"),
    "png zero wide": (png(0, 24), "declares 0 x 24 pixels"),
    "png zero high": (png(20, 0), "declares 20 x 0 pixels"),
    "gif zero": (b"GIF89a" + bytes(20), "declares 0 x 0 pixels"),
    "jpeg header cut": (WHOLE_JPEG[:30], r"is damaged or truncated .*\(Truncated File Read\)"),
    "jpeg without frame": (WHOLE_JPEG[:20] + b"\xff\xd9", "begins as JPEG but its header is damaged"),
    "jpeg truncated": (WHOLE_JPEG[:-200], "is damaged or truncated"),
    "webp truncated": (encode(RGB, "WEBP", lossless=True)[:-90], "is damaged or truncated|its header is damaged"),
    "tiff truncated": (encode(RGB, "TIFF")[:-90], "is damaged or truncated|its header is damaged"),
    "tiff lzw damaged": (encode(RGB, "TIFF", compression="tiff_lzw")[:8] + bytes(1500), "its header is damaged"),
    "bmp truncated": (encode(RGB, "BMP")[:-90], "is damaged or truncated"),
    "png bomb of 100 megapixels": (png(10000, 10000), "declares more than the 89,478,485 pixels"),
    "png bomb of 2**62 pixels": (png(2**31 - 1, 2**31 - 1), "declares more than the 89,478,485 pixels"),
    "bmp bomb": (b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 99999, 99999, 1, 24, *[0] * 6), "more than"),
    "gif frame bomb": (_gif_with_a_frame_beyond_its_screen(), "declares more than"),
    "ico bomb": (_ico_with_a_bomb(), "declares more than"),
    "float tiff": (encode(Image.fromarray(np.full((4, 4), 3.5, np.float32)), "TIFF"), "holds floats from 3.5 to 3.5"),
    "nan tiff": (encode(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF"), "holds floats from nan"),
    "integer tiff": (
        encode(Image.fromarray(np.full((4, 4), 70000, np.int32)), "TIFF"),
        "holds integers from 70000 to 70000",
    ),
    "negative tiff": (encode(Image.fromarray(np.full((4, 4), -1, np.int32)), "TIFF"), "holds integers from -1 to -1"),
}
"""Name to bytes and the sentence expected after the file's name."""

_FRAMES = [noise(24, 20, seed) for seed in range(3)]
_SEE_THROUGH = RGB.copy()
_SEE_THROUGH.putalpha(0)
_HALF = Image.new("RGBA", (20, 24), (0, 100, 200, 128))
_INDEXED = GREY.quantize(8)

ODD: dict[str, tuple[bytes, tuple[str, ...], Image.Image | None]] = {
    "photo": (WHOLE_PNG, (), RGB),
    "one pixel": (encode(RGB.crop((0, 0, 1, 1)), "PNG"), (), RGB.crop((0, 0, 1, 1))),
    "one pixel wide": (encode(RGB.crop((0, 0, 1, 24)), "BMP"), (), RGB.crop((0, 0, 1, 24))),
    "webp": (encode(RGB, "WEBP", lossless=True), (), RGB),
    "qoi": (encode(RGB, "QOI"), (), RGB),
    "jpeg 2000": (encode(RGB, "JPEG2000"), (), RGB),
    "sgi": (encode(RGB, "SGI"), (), RGB),
    "pcx": (encode(RGB, "PCX"), (), RGB),
    "ppm": (encode(RGB, "PPM"), (), RGB),
    "tiff lzw": (encode(RGB, "TIFF", compression="tiff_lzw"), (), RGB),
    "grey": (encode(GREY, "PNG"), ("greyscale expanded to RGB",), GREY.convert("RGB")),
    "1-bit": (encode(GREY.convert("1"), "PNG"), ("1-bit expanded to RGB",), GREY.convert("1").convert("RGB")),
    "palette": (encode(_INDEXED, "PNG"), ("palette expanded to RGB",), _INDEXED.convert("RGB")),
    "palette, all transparent": (
        encode(_INDEXED, "PNG", transparency=bytes(8)),
        ("alpha composited on white",),
        Image.new("RGB", (20, 24), "white"),
    ),
    "grey with a transparent level": (
        encode(Image.new("L", (20, 24), 7), "PNG", transparency=7),
        ("alpha composited on white",),
        Image.new("RGB", (20, 24), "white"),
    ),
    "transparent": (encode(_SEE_THROUGH, "PNG"), ("alpha composited on white",), Image.new("RGB", (20, 24), "white")),
    # 128/255 of (0, 100, 200) over white: 255 - 128/255 * (255 - level), to the nearest.
    "half transparent": (
        encode(_HALF, "PNG"),
        ("alpha composited on white",),
        Image.new("RGB", (20, 24), (127, 177, 227)),
    ),
    "opaque alpha": (encode(RGB.convert("RGBA"), "PNG"), (), RGB),
    "grey, opaque alpha": (encode(GREY.convert("LA"), "PNG"), ("greyscale expanded to RGB",), GREY.convert("RGB")),
    "palette, opaque": (
        encode(_INDEXED, "PNG", transparency=b"\xff" * 8),
        ("palette expanded to RGB",),
        _INDEXED.convert("RGB"),
    ),
    "16-bit grey png": (
        encode(Image.fromarray(DEEP), "PNG"),
        ("16-bit reduced to 8 by dividing by 257", "greyscale expanded to RGB"),
        Image.fromarray(np.rint(DEEP / 257).astype(np.uint8)).convert("RGB"),
    ),
    "16-bit grey tiff, big endian": (
        encode(Image.fromarray(DEEP.astype(">u2")), "TIFF"),
        ("16-bit reduced to 8 by dividing by 257", "greyscale expanded to RGB"),
        Image.fromarray(np.rint(DEEP / 257).astype(np.uint8)).convert("RGB"),
    ),
    "16-bit grey in 32-bit tiff": (
        encode(Image.fromarray(DEEP.astype(np.int32)), "TIFF"),
        ("16-bit reduced to 8 by dividing by 257", "greyscale expanded to RGB"),
        Image.fromarray(np.rint(DEEP / 257).astype(np.uint8)).convert("RGB"),
    ),
    "16-bit grey with a transparent level": (
        png(2, 1, depth=16, colour=0, pixels=b"\0\x12\x34\xff\xff").replace(
            png_chunk(b"IDAT", zlib.compress(b"\0\x12\x34\xff\xff")),
            png_chunk(b"tRNS", b"\x12\x34") + png_chunk(b"IDAT", zlib.compress(b"\0\x12\x34\xff\xff")),
        ),
        ("16-bit reduced to 8 by dividing by 257", "alpha composited on white"),
        Image.new("RGB", (2, 1), "white"),
    ),
    "16-bit colour png": (
        png(1, 1, depth=16, pixels=b"\0\x12\xff\x34\xff\x56\xff"),
        ("16-bit colour reduced to its high byte",),
        Image.new("RGB", (1, 1), (0x12, 0x34, 0x56)),
    ),
    "float tiff in 0..1": (
        encode(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF"),
        ("floats in 0..1 scaled to 8 bits", "greyscale expanded to RGB"),
        Image.new("RGB", (4, 4), (128, 128, 128)),
    ),
    "cmyk tiff": (
        encode(RGB.convert("CMYK"), "TIFF"),
        ("CMYK converted to RGB without its colour profile",),
        RGB.convert("CMYK").convert("RGB"),
    ),
    "cmyk jpeg": (
        encode(RGB.convert("CMYK"), "JPEG"),
        ("CMYK converted to RGB without its colour profile",),
        None,
    ),
    "lab tiff": (encode(_lab(), "TIFF"), ("LAB converted to RGB",), None),
    "gif of three": (
        encode(_FRAMES[0], "GIF", save_all=True, append_images=_FRAMES[1:]),
        ("first of 3 frames", "palette expanded to RGB"),
        None,
    ),
    "png of three": (
        encode(_FRAMES[0], "PNG", save_all=True, append_images=_FRAMES[1:]),
        ("first of 3 frames",),
        _FRAMES[0],
    ),
    "webp of three": (
        encode(_FRAMES[0], "WEBP", save_all=True, append_images=_FRAMES[1:], lossless=True),
        ("first of 3 frames",),
        _FRAMES[0],
    ),
    "tiff of three": (
        encode(_FRAMES[0], "TIFF", save_all=True, append_images=_FRAMES[1:]),
        ("first of 3 frames",),
        _FRAMES[0],
    ),
    "mpo of three": (
        encode(_FRAMES[0], "MPO", save_all=True, append_images=_FRAMES[1:]),
        ("first of 3 frames",),
        None,
    ),
    "damaged exif": (encode(RGB, "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f"), (), RGB),
}
"""Name to bytes, the notes expected and, where the format is lossless, the pixels."""
