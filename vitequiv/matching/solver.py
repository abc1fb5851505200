"""What a solver is: a step rule. The loop, the budget, the goal and the status are not its business."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeVar

from torch import Tensor

from vitequiv.matching.linearisation import Linearisation
from vitequiv.precision import wide

State = TypeVar("State")


class Solver(Protocol):
    """A step rule for batches in which every image goes its own way.

    An implementation is a frozen dataclass of its settings. Its state is a dataclass whose tensors all have the batch
    as their first dimension, so that images which have ended can be dropped from it (see `select`).
    """

    def init(self, pixels: Tensor) -> Any:
        """Make the state for starting points (B, 3, H, W)."""

    def step(self, state: Any, point: Linearisation, residual: Tensor) -> tuple[Tensor, Any]:
        """Propose the next points.

        Args:
            state: What `init` or the last step returned.
            point: The current points with f and J^T.
            residual: f(x) - f(x_tg), (B, n). Whatever the loss, it is half the square of this (f is its chart, see
                `Chart`), and J^T pulls this back to its gradient.

        Returns:
            The next points (B, 3, H, W), anywhere (the loop projects them on the box), and the next state.
        """


def select(state: State, keep: Tensor) -> State:
    """Keep some images of a state.

    Args:
        state: A dataclass of tensors with a common first dimension B (other fields are left alone), or None.
        keep: Booleans (B,).

    Returns:
        A state of the same type for the images kept.
    """
    if state is None:
        return state
    fields = {f.name: getattr(state, f.name) for f in dataclasses.fields(state)}  # type: ignore[arg-type]
    kept = {name: value[keep] if isinstance(value, Tensor) else value for name, value in fields.items()}
    return dataclasses.replace(state, **kept)  # type: ignore[type-var]


def per_image(values: Tensor) -> Tensor:
    """Shape one value an image, (B,), so that it multiplies images (B, 3, H, W)."""
    return values.view(-1, 1, 1, 1)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products image by image, (B, 3, H, W) and the same to (B,), accumulated in wide precision."""
    return (wide(a) * wide(b)).flatten(1).sum(1)
