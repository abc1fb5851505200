"""What a plugin registers as a group of directions; light to import, for everything heavy happens inside `draw`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitequiv.plugins.named import Named

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from vitequiv.geometry.groups import AtImage


@dataclass(frozen=True)
class NamedDirections(Named):
    """A group of directions under a name.

    Args:
        name: What users type in `--directions`.
        summary: One line for `vitequiv plugins list`.
        draw: Called as `draw(point, count, generator)` with all that is known at the image, the directions asked for,
            and what everything random is drawn from; returns unit vectors as columns, (m, k) with m = 3 H W, on any
            device and in any float dtype. A sample has k = count; others are as many as there are.
        sampled: Whether they are a sample of something, so that their mean has a standard error.

    Raises:
        ValueError: If a field is not as described.
    """

    draw: Callable[[AtImage, int, torch.Generator], Tensor]
    sampled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_callable("draw")
