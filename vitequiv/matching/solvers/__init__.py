"""The solvers by name; one a file."""

from __future__ import annotations

from dataclasses import replace

from vitequiv.matching.names import SolverName
from vitequiv.matching.solvers.adam import Adam
from vitequiv.matching.solvers.gd import GradientDescent
from vitequiv.matching.solvers.lbfgs import LBFGS
from vitequiv.matching.solvers.nystrom import Nystrom
from vitequiv.matching.solvers.polyak import Polyak

AnySolver = Adam | GradientDescent | LBFGS | Nystrom | Polyak

SOLVERS: dict[SolverName, AnySolver] = {
    SolverName.NYSTROM: Nystrom(),
    SolverName.POLYAK: Polyak(),
    SolverName.GD: GradientDescent(),
    SolverName.ADAM: Adam(),
    SolverName.LBFGS: LBFGS(),
}
"""Every solver with its default settings."""


def make_solver(name: str, step_size: float | None = None) -> AnySolver:
    """Look a solver up.

    Args:
        name: One of `SolverName`.
        step_size: What the solver's docstring calls so; None for its default.

    Returns:
        The solver.

    Raises:
        ValueError: If there is no such solver, or the step size is not above 0.
    """
    if name not in set(SolverName):
        raise ValueError(f"There is no solver {name!r}: choose from {', '.join(SolverName)}.")
    solver = SOLVERS[SolverName(name)]
    if step_size is None:
        return solver
    if not step_size > 0:
        raise ValueError(f"The step size must be above 0, got {step_size}.")
    return replace(solver, step_size=step_size)
