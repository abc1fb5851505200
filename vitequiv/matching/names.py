"""The names of what a match can be asked for; light, for the command line's help."""

from __future__ import annotations

from enum import StrEnum


class SolverName(StrEnum):
    """The solvers, the default first."""

    NYSTROM = "nystrom"
    POLYAK = "polyak"
    GD = "gd"
    ADAM = "adam"
    LBFGS = "lbfgs"


class LossName(StrEnum):
    """What a match makes small, the default first."""

    DISTANCE = "distance"
    """Half the squared distance to the target's embedding (paper, Eq. 3)."""
    COSINE = "cosine"
    """1 - cosine similarity to it: its length does not matter."""


class Minimise(StrEnum):
    """What a match makes small once its goal is met."""

    L2 = "l2"
    """The Euclidean norm of the change."""


class SpaceName(StrEnum):
    """Which pixels a match changes, the default first."""

    MODEL = "model"
    """The encoder's own input, after the checkpoint's resize and crop (the paper's setting)."""
    IMAGE = "image"
    """The picture at its own resolution, before them."""


class Init(StrEnum):
    """Where a match starts."""

    SOURCE = "source"
    """At the source image."""
    NOISE = "noise"
    """At uniform random pixels (paper, Fig. 13)."""


DEFAULT_SOLVER = SolverName.NYSTROM
DEFAULT_COSINE = 0.99
DEFAULT_MAX_PASSES = 3000
