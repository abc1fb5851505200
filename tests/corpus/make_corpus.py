"""Makes a folder of bad and odd files: `python -m tests.corpus.make_corpus DIR`.

Everything is made here, so that nothing has to be kept in the repository: images of every fault and oddity (the bytes
are those of `tests.images.corpus`, and more), files with odd names, things that are no files, and damaged results.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.images.corpus import BAD, ODD, WHOLE_PNG, encode, png_chunk
from tests.images.samples import noise

SIZE = 48
NAMES = (
    "line\nbreak.png", "tab\there.png", "\x1b[31mred\x1b]0;title\x07.png", "cr\r.png", " spaces .png", "--help",
    "-leading-dash.png", "emoji \U0001f600.png", ":smile:.png", "日本語.png", "العربية.png", "\u202egnp.exe.png",
    "$(touch pwned).png", "`touch pwned`.png", "a;touch pwned.png", "$HOME.png", "$x^{2$.png", "[bold]markup[red].png",
    "[].png", "{0}.png", "%s%n.png", "..png", "...hidden.png", "CON.png", "nul", "cat.png", "Cat.PNG", "CAT.JPG",
    "cafe\u0301.png", "caf\xe9.png", "<script>alert(1)<\u2215script>.png", "\"><img src=x onerror=alert(1)>.png",
    "'quoted'.png", "x" * 251 + ".png", "日" * 83 + ".png", "a" * 100 + "1.png", "a" * 100 + "2.png", "*.png", "?.png",
    "[ab].png", "~.png", "#.png", "a,b.png", "no suffix",
)  # fmt: skip
"""Names of whole images; each is another image, and all must do."""
NOT_UTF8 = b"caf\xe9\xff.png"


def text_bomb(kind: bytes) -> bytes:
    """A PNG whose text or colour profile unpacks to 100 MB."""
    packed = zlib.compress(bytes(100_000_000), 9)
    head = {b"zTXt": b"Comment\0\0", b"iCCP": b"profile\0\0", b"iTXt": b"Comment\0\1\0\0\0"}[kind]
    return WHOLE_PNG[:33] + png_chunk(kind, head + packed) + WHOLE_PNG[33:]


def tiff_header(width: int, height: int) -> bytes:
    """A TIFF of any declared size, with one strip of nothing."""
    tags = ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, height), (279, 4))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def webp_header(width: int, height: int) -> bytes:
    """An extended WebP of any declared size, with a frame of nothing."""
    canvas = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + canvas
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG of any declared size, cut after its header."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"\1\x22\0\2\x11\1\3\x11\1"
    return (
        b"\xff\xd8\xff\xc0"
        + struct.pack(">H", len(frame) + 2)
        + frame
        + b"\xff\xda\0\x0c\3\1\0\2\x11\3\x11\0\x3f\0"
        + bytes(9)
    )


TURNED = b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6" + bytes(6)
"""EXIF that asks for a quarter turn."""

REFUSED: dict[str, bytes] = {
    **{name: data for name, (data, _) in BAD.items()},
    "webp bomb.webp": webp_header(16384, 16384),
    "tiff bomb.tif": tiff_header(100_000, 100_000),
    "jpeg bomb.jpg": jpeg_header(65500, 65500),
    "ppm bomb.ppm": b"P6 99999 99999 255\n" + bytes(99),
    "qoi bomb.qoi": b"qoif" + struct.pack(">II", 100_000, 100_000) + b"\3\0" + bytes(99),
    "text bomb.png": text_bomb(b"zTXt"),
    "unicode bomb.png": text_bomb(b"iTXt"),
    "colour profile bomb.png": text_bomb(b"iCCP"),
    "jpeg of zeros.jpg": b"\xff\xd8\xff" + bytes(5000),
    "gif cut.gif": encode(noise(SIZE, SIZE), "GIF")[:200],
    "csv.png": b"source,target\na.png,b.png\n",
    "json.png": b'{"schema": "vitequiv/match/1"}',
    "safetensors.png": struct.pack("<Q", 2) + b"{}",
    "wasm.png": b"\0asm\1\0\0\0",
}
"""What no verb may take, by name."""

TAKEN: dict[str, bytes] = {
    **{name: data for name, (data, _, _) in ODD.items()},
    "1x10000.png": encode(noise(10000, 1), "PNG"),
    "10000x1.png": encode(noise(1, 10000), "PNG"),
    "1x1.png": encode(noise(1, 1), "PNG"),
    "a png called jpg.jpg": encode(noise(SIZE, SIZE, 7), "PNG"),
    "rotated.jpg": encode(noise(SIZE, 2 * SIZE), "JPEG", exif=TURNED),
    "followed by a zip.png": WHOLE_PNG + b"PK\3\4" + bytes(99),
    "palette with transparency.gif": encode(noise(SIZE, SIZE).quantize(16), "GIF", transparency=3),
}
"""What every verb must take."""


@dataclass(frozen=True)
class Corpus:
    """What was made.

    Args:
        root: The folder.
        refused: Paths that no verb may take.
        taken: Paths that every verb must take.
        target: An image that none of these is.
    """

    root: Path
    refused: tuple[bytes, ...]
    taken: tuple[bytes, ...]
    target: Path

    @property
    def paths(self) -> tuple[bytes, ...]:
        """All of them."""
        return self.refused + self.taken


def make(root: Path) -> Corpus:
    """Make the corpus.

    Args:
        root: A folder that is not there yet.

    Returns:
        What was made.
    """
    root.mkdir(parents=True)
    target = root / "target.png"
    Image.linear_gradient("L").resize((SIZE, SIZE)).convert("RGB").save(target)
    refused = [_write(root / "refused", name, data) for name, data in REFUSED.items()] + _no_files(root / "no-files")
    taken = [_write(root / "taken", name, data) for name, data in TAKEN.items()]
    for number, name in enumerate((*map(os.fsencode, NAMES), NOT_UTF8)):
        taken.append(_write(root / "names", name, encode(noise(SIZE, SIZE, 100 + number), "PNG")))
    return Corpus(root, tuple(refused), tuple(taken), target)


def _write(folder: Path, name: str | bytes, data: bytes) -> bytes:
    folder.mkdir(exist_ok=True)
    raw = os.fsencode(name if isinstance(name, bytes) else name if "." in name else f"{name.replace('/', '_')}.png")
    path = os.path.join(os.fsencode(folder), raw)  # noqa: PTH118 - bytes
    with open(path, "xb") as file:  # noqa: PTH123 - bytes
        file.write(data)
    return path


def _no_files(folder: Path) -> list[bytes]:
    """Things that are named as images and are none, and must neither be waited for nor read without end."""
    folder.mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "nowhere.png").symlink_to("gone.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "zero.png").symlink_to("/dev/zero")
    (folder / "null.png").symlink_to("/dev/null")
    (folder / "terminal.png").symlink_to("/dev/tty")
    (folder / "memory.png").symlink_to("/proc/self/mem")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(folder)  # a socket's path may have a hundred bytes at most
        try:
            listener.bind("socket.png")
        finally:
            os.chdir(here)
    with (folder / "sparse.png").open("wb") as file:
        file.truncate(1 << 40)  # takes no room on disk
    (folder / "unreadable.png").write_bytes(WHOLE_PNG)
    (folder / "unreadable.png").chmod(0)
    names = [os.fsencode(path) for path in sorted(folder.iterdir())]
    if os.access(folder / "unreadable.png", os.R_OK):  # root reads it all the same
        names.remove(os.fsencode(folder / "unreadable.png"))
    missing = [os.fsencode(folder / name) for name in ("missing.png", "x" * 300 + ".png", "file.png/below.png")]
    return names + missing


RESULTS: dict[str, bytes] = {
    "empty": b"",
    "cut": b'{"schema": "vitequiv/match/1", "status": ',
    "list": b"[]",
    "null": b"null",
    "number": b"1e999",
    "long number": b"1" * 10_000,
    "deep": b"[" * 200_000,
    "not utf-8": b"\xff\xfe{}",
    "nan": b'{"schema": NaN}',
    "nothing in it": b"{}",
    "other schema": b'{"schema": "vitequiv/match/9", "model": {"spec": "x", "readout": "y", "weights_sha256": "z"}}',
}
"""JSON that no verb wrote; also a device, a pipe, and names that lead out of the folder (`make_results`)."""


def make_results(root: Path) -> tuple[str, ...]:
    """Make a folder of damaged and planted results.

    Args:
        root: A folder that is not there yet; a file `secret.txt` is made beside it.

    Returns:
        The names of the folders in it.
    """
    root.mkdir(parents=True)
    (root.parent / "secret.txt").write_text("SECRET")
    about = {"spec": "tiny-clip", "readout": "projection", "weights_sha256": "0"}
    for name, data in RESULTS.items():
        for verb in ("match", "classify", "statistics"):
            folder = root / f"{verb} {name}"
            folder.mkdir()
            (folder / f"{verb}.json").write_bytes(data)
    for number, place in enumerate((
        "../../secret.txt",
        "/etc/passwd",
        str(root.parent / "secret.txt"),
        "..",
        "a\0b",
        7,
        None,
    )):
        folder = root / f"planted {number}"
        folder.mkdir()
        record = {
            "schema": "vitequiv/statistics/1", "model": about, "status": "converged", "message": "m",
            "artifacts": {"plot": place, "matched": place, "tensors": place}, "result": {"rates": {}}, "settings": {},
            "inputs": [{"role": "target", "path": "t.png", "sha256": None}],
        }  # fmt: skip
        (folder / "statistics.json").write_text(json.dumps(record))
        (folder / "match.json").write_text(json.dumps({**record, "schema": "vitequiv/match/1"}))
    script = root / "<script>alert(1)<"
    script.mkdir()
    tag = "<script>alert(2)</script>"
    hostile = {"spec": tag, "readout": f'">{tag}', "weights_sha256": tag}
    (script / "match.json").write_text(
        json.dumps({"schema": "vitequiv/match/<script>", "model": hostile, "status": tag, "message": tag})
    )
    for name in ("pipe", "zero"):
        (root / name).mkdir()
    os.mkfifo(root / "pipe" / "match.json")
    (root / "zero" / "match.json").symlink_to("/dev/zero")
    return tuple(sorted(path.name for path in root.iterdir()))


def main() -> None:
    """Make both below the folder named, and say how many files there are."""
    if len(sys.argv) != 2 or re.match(r"-", sys.argv[1]):
        sys.exit("usage: python -m tests.corpus.make_corpus DIR")
    corpus = make(Path(sys.argv[1]) / "images")
    results = make_results(Path(sys.argv[1]) / "results")
    print(f"{len(corpus.refused)} to be refused, {len(corpus.taken)} to be taken, {len(results)} folders of results")


if __name__ == "__main__":
    main()
