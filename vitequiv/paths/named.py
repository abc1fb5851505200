"""What a plugin registers as a path; light to import, for everything heavy happens inside `points`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitequiv.plugins.named import Named
from vitequiv.results.names import PathKind

if TYPE_CHECKING:
    from torch import Tensor

    from vitequiv.paths.request import PathRequest


@dataclass(frozen=True)
class NamedPath(Named):
    """A way from one image to another under a name.

    Args:
        name: What users type after `--path`.
        summary: One line for `vitequiv plugins list`.
        points: Called with what was asked for; gives the points one after the other, as a generator does: (3, H, W) in
            [0, 1], START itself first, at most `steps` of them. None for the built-in paths, which `interpolate` goes
            itself.
        arrives: Whether the last point is END itself.

    Raises:
        ValueError: If a field is not as described.
    """

    points: Callable[[PathRequest], Iterable[Tensor]] | None
    arrives: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.points is not None or self.name not in set(PathKind):
            self.require_callable("points")
