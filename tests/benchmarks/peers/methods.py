"""What is compared: every solver of vitequiv, and its peers, each at a few settings."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tests.benchmarks.match import THRESHOLDS
from tests.benchmarks.peers.recorder import Recorder
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import DEFAULT_SOLVER, SolverName
from vitequiv.matching.solvers import SOLVERS, AnySolver, make_solver

Attack = Callable[[Recorder], None]
"""Sets itself up, calls the recorder's `start`, and moves its source to its target until it is told `Enough`."""

STEP_FACTORS = {
    SolverName.GD: (1.0, 3.0, 10.0, 30.0, 100.0),
    SolverName.ADAM: (0.25, 0.5, 1.0, 2.5, 5.0),
    SolverName.LBFGS: (0.25, 0.5, 1.0, 2.0),
}
"""Multiples of the default step size to try; solvers not named here get `OTHER_STEP_FACTORS`."""
OTHER_STEP_FACTORS = (0.5, 1.0, 2.0)


@dataclass(frozen=True)
class Setting:
    """An attack as it is set.

    Args:
        name: What is set.
        attack: The attack.
        default: Whether it is what `vitequiv match` does by itself; then it is run on all pairs, best or not.
    """

    name: str
    attack: Attack
    default: bool = False


@dataclass(frozen=True)
class Method:
    """An attack by name.

    Args:
        name: The row's name.
        settings: What is tried.
        package: Name of the distribution it comes from; None for vitequiv itself.
        module: What must be importable for it.
    """

    name: str
    settings: tuple[Setting, ...]
    package: str | None = None
    module: str = "vitequiv"

    def why_missing(self) -> str | None:
        """The error if its library cannot be imported, else None."""
        try:
            importlib.import_module(self.module)
        except ImportError as error:
            return str(error)
        return None


def all_methods() -> list[Method]:
    """vitequiv's solvers, in their own order, then the peers."""
    from tests.benchmarks.peers import feature_adversaries, metamer, sign_gradient

    peers = [feature_adversaries.method(), metamer.method(), sign_gradient.method()]
    return [_solver_method(name) for name in SolverName] + peers


def vitequiv_attack(solver: AnySolver) -> Attack:
    """The package's own loop, with the goal unrounded as for the peers."""

    def attack(recorder: Recorder) -> None:
        goal = Goal(cosine=max(THRESHOLDS), max_passes=recorder.max_passes, on_lattice=False)
        recorder.start()
        minimise(recorder, recorder.source, recorder.wanted, solver, goal)

    return attack


def _solver_method(name: SolverName) -> Method:
    default = SOLVERS[name]
    size = {f.name: getattr(default, f.name) for f in dataclasses.fields(default)}.get("step_size")
    if not isinstance(size, float):
        return Method(name, (Setting("no step size", vitequiv_attack(default), name == DEFAULT_SOLVER),))
    sizes = [size * factor for factor in STEP_FACTORS.get(name, OTHER_STEP_FACTORS)]
    settings = (
        Setting(f"step_size {s:.3g}", vitequiv_attack(make_solver(name, s)), s == size and name == DEFAULT_SOLVER)
        for s in sizes
    )
    return Method(name, tuple(settings))


class Module(torch.nn.Module):
    """The recorder as the module that the peers want."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.recorder(pixels)
