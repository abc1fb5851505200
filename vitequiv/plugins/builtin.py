"""What comes with vitequiv, registered through the same hooks as a third party's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from vitequiv.encoders.adapters import beit, clip, deit, hf, swin, timm, tiny_clip, tiny_zoo, vitmae, vitmsn
from vitequiv.encoders.families import EncoderFamily
from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.matching.names import SolverName
from vitequiv.paths.named import NamedPath
from vitequiv.plugins.hookspecs import hookimpl
from vitequiv.results.names import Directions, PathKind

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vitequiv.geometry.groups import AtImage
    from vitequiv.matching.solver import Solver

FAMILIES = (
    tiny_clip.FAMILY,
    *tiny_zoo.FAMILIES,
    *(module.FAMILY for module in (clip, beit, swin, deit, vitmae, vitmsn, timm, hf)),
)


def _solver(name: SolverName) -> Solver:
    from vitequiv.matching.solvers import SOLVERS

    return SOLVERS[name]


def _draw(function: str, point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    from vitequiv.geometry import groups

    drawn: Tensor = getattr(groups, function)(point, count, generator)
    return drawn


SOLVERS = tuple(
    NamedSolver(name.value, summary, partial(_solver, name))
    for name, summary in {
        SolverName.NYSTROM: "Gauss-Newton modelled in embedding space, less what is idle; step size 0.17.",
        SolverName.POLYAK: "Gradient descent with Polyak's step; step size 0.25.",
        SolverName.GD: "Gradient descent with a constant step, the paper's; step size 0.001.",
        SolverName.ADAM: "Adam on pixels; step size 0.002.",
        SolverName.LBFGS: "Quasi-Newton with a projected line search; step size 1.",
    }.items()
)
DIRECTIONS = tuple(
    NamedDirections(name.value, summary, partial(_draw, function), sampled)
    for name, summary, function, sampled in (
        (Directions.SINGULAR, "The right singular vectors of the Jacobian.", "singular", False),
        (Directions.RANDOM, "Uniform on the sphere of all pixels.", "uniform", True),
        (Directions.NULL, "Uniform on the sphere of the Jacobian's null space.", "null", True),
        (Directions.MATCH, "From the image to its match.", "to_match", False),
    )
)
PATHS = tuple(
    NamedPath(name.value, summary, None, arrives)
    for name, summary, arrives in (
        (PathKind.LINEAR, "In a straight line in pixels.", True),
        (PathKind.MATCHED, "Along that line, every point re-matched to one embedding.", False),
        (PathKind.NULL, "In the null space of the Jacobian.", False),
    )
)


@hookimpl
def vitequiv_register_encoders(register: Callable[[EncoderFamily], None]) -> None:
    """Register the built-in families."""
    for family in FAMILIES:
        register(family)


@hookimpl
def vitequiv_register_solvers(register: Callable[[NamedSolver], None]) -> None:
    """Register the built-in solvers."""
    for solver in SOLVERS:
        register(solver)


@hookimpl
def vitequiv_register_directions(register: Callable[[NamedDirections], None]) -> None:
    """Register the built-in groups."""
    for group in DIRECTIONS:
        register(group)


@hookimpl
def vitequiv_register_paths(register: Callable[[NamedPath], None]) -> None:
    """Register the built-in paths."""
    for path in PATHS:
        register(path)
