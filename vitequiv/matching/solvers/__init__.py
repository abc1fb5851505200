"""The solvers by name; one a file."""

from __future__ import annotations

from dataclasses import replace

from vitequiv.errors import PluginError, UsageError
from vitequiv.matching.guarded import Guarded, step_size_of
from vitequiv.matching.names import SolverName
from vitequiv.matching.solver import Solver
from vitequiv.matching.solvers.adam import Adam
from vitequiv.matching.solvers.gd import GradientDescent
from vitequiv.matching.solvers.lbfgs import LBFGS
from vitequiv.matching.solvers.nystrom import Nystrom
from vitequiv.matching.solvers.polyak import Polyak
from vitequiv.plugins.guard import blaming, is_builtin, title
from vitequiv.plugins.kinds import SOLVER
from vitequiv.plugins.registry import find

AnySolver = Adam | GradientDescent | LBFGS | Nystrom | Polyak

SOLVERS: dict[SolverName, AnySolver] = {
    SolverName.NYSTROM: Nystrom(),
    SolverName.POLYAK: Polyak(),
    SolverName.GD: GradientDescent(),
    SolverName.ADAM: Adam(),
    SolverName.LBFGS: LBFGS(),
}
"""Every built-in solver with its default settings."""


def make_solver(name: str, step_size: float | None = None) -> Solver:
    """Look a solver up.

    Args:
        name: One of `SolverName`, or what a plugin has registered.
        step_size: What the solver's docstring calls so; None for its default.

    Returns:
        The solver; a plugin's in a wrapper that names its owner when it fails.

    Raises:
        UnknownNameError: If there is no such solver.
        ValueError: If the step size is not above 0.
        UsageError: If the solver has no step size, or a plugin's cannot be made.
    """
    found = find(SOLVER, name)
    if step_size is not None and not step_size > 0:
        raise ValueError(f"The step size must be above 0, got {step_size}.")
    what = title(SOLVER, found)
    try:
        with blaming(what):
            solver = found.thing.load()
    except PluginError as error:
        raise UsageError(error.message) from None
    missing = [method for method in ("init", "step") if not callable(getattr(solver, method, None))]
    if missing:
        raise UsageError(f"{what} is a {type(solver).__name__} without {missing[0]}(): see `Solver`.")
    if step_size is not None:
        if step_size_of(solver) is None:
            raise UsageError(f"{what} has no step size: leave it out.")
        solver = replace(solver, step_size=step_size)  # type: ignore[type-var]
    return solver if is_builtin(found) else Guarded(solver, what)
