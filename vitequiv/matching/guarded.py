"""A plugin's solver, held to what the loop relies on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vitequiv.errors import PluginError
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.solver import Solver
from vitequiv.plugins.guard import blaming


@dataclass(frozen=True)
class Guarded:
    """A solver whose faults name its owner; see `Solver`.

    Args:
        solver: The plugin's.
        what: Its title.
    """

    solver: Solver
    what: str

    @property
    def step_size(self) -> float | None:
        """The solver's own; None if it has none."""
        return step_size_of(self.solver)

    def init(self, pixels: Tensor) -> Any:
        """The solver's state; a `PluginError` if images could not be dropped from it."""
        with blaming(self.what):
            state = self.solver.init(pixels)
        return self._state(state, len(pixels))

    def step(self, state: Any, point: Linearisation, residual: Tensor) -> tuple[Tensor, Any]:
        """The solver's step; a `PluginError` if it is of another shape."""
        with blaming(self.what):
            proposed, following = self.solver.step(state, point, residual)
        if not isinstance(proposed, Tensor) or proposed.shape != point.pixels.shape:
            shape = tuple(proposed.shape) if isinstance(proposed, Tensor) else type(proposed).__name__
            raise self._wrong(f"proposed {shape} in place of points {tuple(point.pixels.shape)}")
        return proposed.detach().to(point.pixels), self._state(following, len(residual))

    def _state(self, state: Any, count: int) -> Any:
        if state is None:
            return None
        if not dataclasses.is_dataclass(state) or isinstance(state, type):
            raise self._wrong(f"keeps a {type(state).__name__} as its state: make it a dataclass of tensors, or None")
        for field in dataclasses.fields(state):
            value = getattr(state, field.name)
            if isinstance(value, Tensor) and (value.ndim == 0 or len(value) != count):
                raise self._wrong(
                    f"keeps {field.name} of shape {tuple(value.shape)} in its state: the first dimension must be that "
                    f"of the batch, {count}"
                )
        return state

    def _wrong(self, fault: str) -> PluginError:
        return PluginError(f"{self.what} {fault}.")


def step_size_of(solver: Solver) -> float | None:
    """A solver's step size.

    Args:
        solver: Any solver.

    Returns:
        Its `step_size`; None if it has none.
    """
    size = getattr(solver, "step_size", None)
    return None if size is None else float(size)
