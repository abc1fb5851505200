"""Which files of a folder are taken for images."""

from __future__ import annotations

IMAGE_SUFFIXES = frozenset((
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".jp2",
    ".j2k", ".jpf", ".jpx", ".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".ico", ".qoi", ".pcx", ".sgi",
))  # fmt: skip
"""Suffixes, in lower case, that are looked for in folders; a file named on the command line may have any other."""
