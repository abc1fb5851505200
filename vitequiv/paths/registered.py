"""The way of a plugin, point by point, held to what it promised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from vitequiv.errors import PluginError
from vitequiv.maps import Embed
from vitequiv.paths.named import NamedPath
from vitequiv.paths.request import Counted, OutOfPassesError, PathRequest
from vitequiv.paths.trace import Spent, Trace
from vitequiv.plugins.guard import Blamed, is_builtin, title
from vitequiv.plugins.kinds import PATH
from vitequiv.plugins.registry import find
from vitequiv.precision import wide
from vitequiv.results.status import Status

ROUNDING = 1e-5
"""How far a point may be off the box or off END in a pixel, as float32 leaves it."""

_MESSAGES = {
    Status.CONVERGED: "All {} points were embedded.",
    Status.BUDGET_EXHAUSTED: "The path ended at {} of {} points, for the passes allowed ran out: allow more.",
    Status.NON_FINITE: "The embedding of point {} of {} is NaN or infinite: try float32 or float64.",
}


def find_path(name: str) -> NamedPath:
    """Look a path up.

    Args:
        name: One of `PathKind`, or what a plugin has registered.

    Returns:
        The path; a plugin's names its owner when it fails. Raises an `UnknownNameError` if there is none.
    """
    found = find(PATH, name)
    if is_builtin(found) or found.thing.points is None:
        return found.thing
    return replace(found.thing, points=Blamed(found.thing.points, title(PATH, found)))


def registered_path(
    embed: Embed,
    path: NamedPath,
    start: Tensor,
    end: Tensor,
    *,
    steps: int,
    max_passes: int,
    generator: torch.Generator,
    observe: Callable[[int, int], None] | None = None,
) -> Trace:
    """Go where a plugin leads.

    Args:
        embed: The map from pixels to embeddings.
        path: The plugin's path.
        start: (3, H, W) in [0, 1].
        end: The same shape, another image.
        steps: Points, both ends among them, at most; at least 2.
        max_passes: Passes allowed.
        generator: Seeds everything random.
        observe: Told of points done and points at most.

    Returns:
        The path; it stops where the passes run out, and at a point whose embedding is not finite. Cost: a forward a
        point, and the passes that the plugin takes.

    Raises:
        PluginError: If a point is of another shape, not finite or outside [0, 1], the first is not START, the last not
            END though the path arrives, or there are fewer than 2 or more than `steps`.
    """
    spent = Spent()
    counted = Counted(embed, max_passes, spent)
    pixels: list[Tensor] = []
    embeddings: list[Tensor] = []
    passes: list[int] = []

    status = Status.CONVERGED
    try:
        for point in _points(path, PathRequest(counted, start, end, steps, generator)):
            with torch.no_grad():
                embedding = counted(point[None])[0]
            pixels.append(point)
            embeddings.append(embedding)
            passes.append(spent.passes)
            if observe:
                observe(len(pixels), steps)
            if not bool(embedding.isfinite().all()):
                status = Status.NON_FINITE
                break
    except OutOfPassesError:
        status = Status.BUDGET_EXHAUSTED
    return Trace(
        status=status,
        message=_MESSAGES[status].format(len(pixels), steps),
        pixels=torch.stack(pixels),
        embeddings=torch.stack(embeddings),
        passes=tuple(passes),
        spent=spent,
        graph_bytes=counted.graph_bytes,
    )


def _points(path: NamedPath, request: PathRequest) -> Iterator[Tensor]:
    """The points, checked; START before the plugin is asked, which might spend the pass that it needs."""
    assert path.points is not None  # `interpolate` goes the built-in paths itself
    yield request.start
    points = path.points(request)
    if not isinstance(points, Iterable):
        raise PluginError(_fault(path, f"gave {type(points).__name__} in place of points: make it a generator"))
    given, point = 0, request.start
    for given, x in enumerate(points, 1):
        if given > request.steps:
            raise PluginError(_fault(path, f"went on after the {request.steps} points it was asked for"))
        point = _point(path, x, request.start, first=given == 1)
        if given > 1:
            yield point
    if given < 2:
        raise PluginError(_fault(path, f"gave {given} of at least 2 points"))
    if path.arrives and not float((point - request.end).abs().max()) <= ROUNDING:
        away = float(wide(point - request.end).norm())
        raise PluginError(
            _fault(path, f"ended at L2 {away:.3g} from END: give END last, or register it with arrives=False")
        )


def _point(path: NamedPath, x: object, start: Tensor, first: bool) -> Tensor:
    if not isinstance(x, Tensor) or x.shape != start.shape:
        shape = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise PluginError(_fault(path, f"gave {shape} in place of a point {tuple(start.shape)}"))
    point = x.detach().to(start)
    low, high = float(point.min()), float(point.max())
    if not (low >= -ROUNDING and high <= 1 + ROUNDING):  # NaN fails too
        raise PluginError(_fault(path, f"gave a point with pixels from {low:.3g} to {high:.3g}: keep to [0, 1]"))
    if first and not torch.equal(point, start):
        raise PluginError(_fault(path, "did not begin with START: give it as the first point"))
    return point.clamp(0, 1)


def _fault(path: NamedPath, fault: str) -> str:
    return f"The path {path.name!r} {fault}."
