"""The names that options and results share: what a verb may be asked for, in one light module."""

from __future__ import annotations

from enum import StrEnum


class ClassifierKind(StrEnum):
    """The three ways to classify with an encoder."""

    ZERO_SHOT = "zero-shot"
    """Cosine to the embedded names of the classes (Radford et al. 2021)."""
    HEAD = "head"
    """The classifier that came with the checkpoint."""
    PROTOTYPES = "prototypes"
    """Cosine to the mean of each class's example images, their embeddings centred and whitened."""


class PathKind(StrEnum):
    """The ways to go."""

    LINEAR = "linear"
    """In a straight line from START to END in pixels (paper, Fig. 6 and 11)."""
    MATCHED = "matched"
    """Along that line, every point re-matched to one embedding (paper, Fig. 7 and 12)."""
    NULL = "null"
    """In the null space of the Jacobian, towards END or at random, with START's embedding throughout."""


class Reference(StrEnum):
    """Whose embedding a matched path keeps."""

    START = "start"
    END = "end"
    IMAGE = "image"
    """That of a third image."""


class Method(StrEnum):
    """How the singular triplets are found."""

    FULL = "full"
    """All of them, from all rows of J: n vjps."""
    TOPK = "topk"
    """The k largest by Lanczos, without the matrix."""


class Directions(StrEnum):
    """The groups of directions."""

    SINGULAR = "singular"
    """The right singular vectors of J (paper, Fig. 3)."""
    RANDOM = "random"
    """Uniform on the sphere of all pixels, as normalised Gaussian vectors are (Fig. 4, top left)."""
    NULL = "null"
    """Uniform on the sphere of the null space of J (Fig. 4, top right)."""
    MATCH = "match"
    """From the image to its match (Fig. 4, bottom)."""
