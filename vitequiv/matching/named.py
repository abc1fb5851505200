"""What a plugin registers as a solver; light to import, for everything heavy happens inside `load`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitequiv.plugins.named import Named

if TYPE_CHECKING:
    from vitequiv.matching.solver import Solver


@dataclass(frozen=True)
class NamedSolver(Named):
    """A solver under a name.

    Args:
        name: What users type after `--solver`.
        summary: One line for `vitequiv plugins list`.
        load: Makes the solver with its default settings; imports its library inside. A solver is a frozen dataclass
            that keeps the protocol `vitequiv.matching.solver.Solver`; its field `step_size`, if it has one, is what
            `--step-size` sets.

    Raises:
        ValueError: If a field is not as described.
    """

    load: Callable[[], Solver]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_callable("load")
