"""The hooks: what is registered, under which names.

Listings and shell completion import this module, so nothing heavy is imported at its top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.paths.named import NamedPath
from vitequiv.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vitequiv.geometry.groups import AtImage
    from vitequiv.matching.solver import Solver
    from vitequiv.paths.request import PathRequest


def load_momentum() -> Solver:
    """Make the solver with its default settings."""
    from vitequiv_methods.momentum import Momentum

    return Momentum()


def draw_pixels(point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    """Directions in which one value of one pixel changes, (m, count): |J d| is the norm of a column of J."""
    import torch

    size = point.matrix.shape[1]
    chosen = torch.randint(size, (count,), generator=generator)
    vectors = torch.zeros(size, count)
    vectors[chosen, torch.arange(count)] = 1
    return vectors


def wipe(request: PathRequest) -> Iterator[Tensor]:
    """END comes in from the left, column by column, over START."""
    width = request.start.shape[-1]
    for i in range(request.steps):
        edge = round(i / (request.steps - 1) * width)
        image = request.start.clone()
        image[..., :edge] = request.end[..., :edge]
        yield image


@hookimpl
def vitequiv_register_solvers(register: Callable[[NamedSolver], None]) -> None:
    """Register the solver, `--solver momentum`."""
    register(NamedSolver("momentum", "Gradient descent with momentum (Polyak 1964); step size 0.001.", load_momentum))


@hookimpl
def vitequiv_register_directions(register: Callable[[NamedDirections], None]) -> None:
    """Register the group of directions, `--directions pixels`."""
    register(NamedDirections("pixels", "Single values of single pixels, drawn at random.", draw_pixels, sampled=True))


@hookimpl
def vitequiv_register_paths(register: Callable[[NamedPath], None]) -> None:
    """Register the path, `--path wipe`."""
    register(NamedPath("wipe", "END comes in from the left, column by column, over START.", wipe))
