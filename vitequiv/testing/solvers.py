"""Checks of a solver: on the small problem, in the loop that runs it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vitequiv.matching.goal import Goal
from vitequiv.matching.guarded import Guarded, step_size_of
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.loop import Run, minimise
from vitequiv.matching.named import NamedSolver
from vitequiv.matching.solver import Solver
from vitequiv.plugins.kinds import SOLVER
from vitequiv.plugins.registry import find
from vitequiv.testing.bench import embed, images, twice, untouched
from vitequiv.testing.report import Report, outcome, report
from vitequiv.testing.subject import CheckError

_BUDGETS = (3, 8, 40)
_AGREE = 1e-6
"""How far an image may come out elsewhere alone than in a batch, in float64 after 20 passes: rounding, magnified."""


def check_solver(solver: NamedSolver | Solver | str) -> Report:
    """Check that a solver does what the loop of every match relies on.

    Args:
        solver: What is registered, the solver itself, or the name of a registered one.

    Returns:
        What passed. Cost: about a second; no encoder.

    Raises:
        ConformanceError: If a check failed; it names each, with what was measured and what to change.
    """
    if isinstance(solver, str):
        solver = find(SOLVER, solver).thing
    name = solver.name if isinstance(solver, NamedSolver) else type(solver).__name__
    bench = _Bench(name, solver.load() if isinstance(solver, NamedSolver) else solver)
    checks = ("settings", "shape", "inputs", "determinism", "independence", "budget", "precision", "finite", "progress")
    return report(name, {check: outcome(check, getattr(bench, check)) for check in checks}, "solver")


@dataclass(frozen=True)
class _Bench:
    """The checks of one solver."""

    name: str
    solver: Any

    @property
    def guarded(self) -> Guarded:
        return Guarded(self.solver, f"The solver {self.name!r}")

    def settings(self) -> None:
        """A frozen dataclass, and a step size that can be set."""
        parameters = getattr(self.solver, "__dataclass_params__", None)
        if parameters is None or not parameters.frozen:
            raise CheckError(
                f"it is a {type(self.solver).__name__}, no frozen dataclass",
                "@dataclass(frozen=True); what changes from step to step belongs into the state",
            )
        size = step_size_of(self.solver)
        if size is None:
            return
        if not 0 < size < math.inf:
            raise CheckError(f"its step size is {size}", "give the field step_size a default above 0")
        other = dataclasses.replace(self.solver, step_size=size / 2)
        if step_size_of(other) != size / 2:
            raise CheckError("its step size cannot be set", "make step_size a field that init() takes")

    def shape(self) -> None:
        """Points in the shape of those given, and a state from which images can be dropped."""
        pixels, target = images(3, 0), embed(images(3, 1))
        state = self.guarded.init(pixels)
        for _ in range(3):
            point = Linearisation(embed, pixels)
            pixels, state = self.guarded.step(state, point, point.embedding - target)

    def inputs(self) -> None:
        """Nothing that it is given is changed in place."""
        pixels, target = images(3, 0), embed(images(3, 1))
        fix = "make new tensors in place of +=, mul_() and their like"
        with untouched(fix, pixels=pixels):
            state = self.guarded.init(pixels)
        for _ in range(3):
            point = Linearisation(embed, pixels)
            residual = point.embedding - target
            with untouched(fix, point=point.pixels, residual=residual):
                pixels, state = self.guarded.step(state, point, residual)

    def determinism(self) -> None:
        """The same start gives the same bits."""
        twice(lambda: _pixels(self._run(3, 40)), "matches")

    def independence(self) -> None:
        """Every image goes its own way, whatever else is in its batch and leaves it."""
        ended = embed(images(3, 1))
        ended[0] = embed(images(3, 0))[0]  # matches as it is, and leaves the batch at once
        alone = [self._run(1, 20, first=i)[0].pixels for i in range(3)]
        for others, target in (("", None), (" one of which has ended", ended)):
            together = self._run(3, 20, target=target)
            for i in range(0 if target is None else 1, 3):
                difference = float((together[i].pixels - alone[i]).abs().max())
                if not difference <= _AGREE:
                    raise CheckError(
                        f"alone, an image comes out {difference:.2g} elsewhere than in a batch of 3{others}",
                        "take sums and norms over each image, dim 1 to 3, and not over the batch",
                    )

    def budget(self) -> None:
        """The passes allowed are kept, and the box is."""
        for most in _BUDGETS:
            for run in self._run(3, most):
                if run.passes > most:
                    raise CheckError(
                        f"{run.passes} passes were spent of {most} allowed", "call point.pullback() once a step"
                    )
                if not bool(((run.pixels >= 0) & (run.pixels <= 1)).all()):
                    raise CheckError("pixels left [0, 1]", "leave the projection to the loop")

    def precision(self) -> None:
        """In float32 it goes where it goes in float64."""
        wide, narrow = (_pixels(self._run(2, 8, dtype=dtype)).double() for dtype in (torch.float64, torch.float32))
        difference = float((wide - narrow).abs().max())
        if not difference <= 1e-3:
            raise CheckError(
                f"after 4 steps float32 is {difference:.2g} from float64", "divide by nothing that rounding decides"
            )

    def finite(self) -> None:
        """No NaN where there is nothing left to do, and the gradient is zero."""
        pixels = images(2, 0)
        state = self.guarded.init(pixels)
        for _ in range(3):
            point = Linearisation(embed, pixels)
            pixels, state = self.guarded.step(state, point, torch.zeros_like(point.embedding))
        if not bool(pixels.isfinite().all()):
            raise CheckError("with a residual of zero it proposed NaN", "guard divisions by the gradient's norm")

    def progress(self) -> None:
        """The loss falls."""
        for run in self._run(3, 200):
            if not run.loss < run.trajectory[0].loss:
                raise CheckError(
                    f"200 passes left the loss at {run.trajectory[0].loss:.3g}",
                    "go against point.pullback(residual), which is the gradient, by a smaller default step",
                )

    def _run(
        self,
        count: int,
        max_passes: int,
        first: int = 0,
        dtype: torch.dtype = torch.float64,
        target: Tensor | None = None,
    ) -> list[Run]:
        chosen = slice(first, first + count)
        start = images(3, 0, dtype)[chosen]
        wanted = embed(images(3, 1, dtype))[chosen] if target is None else target
        goal = Goal(cosine=None, residual=1e-12, max_passes=max_passes, on_lattice=False)
        return minimise(embed, start, wanted, self.guarded, goal)


def _pixels(runs: list[Run]) -> Tensor:
    return torch.stack([run.pixels for run in runs])
