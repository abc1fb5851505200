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


class Init(StrEnum):
    """Where a match starts."""

    SOURCE = "source"
    """At the source image."""
    NOISE = "noise"
    """At uniform random pixels (paper, Fig. 13)."""


DEFAULT_SOLVER = SolverName.NYSTROM
DEFAULT_COSINE = 0.99
DEFAULT_MAX_PASSES = 3000
