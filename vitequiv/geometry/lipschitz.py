"""Directional Lipschitz constants (paper, Eq. 7) with their error budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, in_batches
from vitequiv.geometry.spectrum import ROUNDING
from vitequiv.maps import Embed
from vitequiv.precision import in_float64


@dataclass(frozen=True, eq=False)
class Constants:
    """Local directional Lipschitz constants along k directions, from below.

    Args:
        values: (k,), float64: the largest difference quotient between neighbours on the grid.
        truncation: (k,), float64: how much each grows when every other point is put back, a measure of what a still
            finer grid would add; NaN for a grid of 3 points.
        floor: What rounding alone can make of a quotient on this grid.
        forwards: Forward passes spent.
    """

    values: Tensor
    truncation: Tensor
    floor: float
    forwards: int


def directional_constants(
    embed: Embed,
    pixels: Tensor,
    directions: Tensor,
    epsilon: float,
    *,
    points: int = 5,
    batch_size: int | BatchSize = 8,
) -> Constants:
    """Estimate the smallest L with |f(x + b d) - f(x + a d)| <= L |b - a| for all a, b in [-epsilon, epsilon] (Eq. 7).

    The largest quotient over all pairs of a grid is attained by neighbours, since by the triangle inequality a longer
    quotient is at most the largest of those it is made of. The estimate never exceeds the constant but by rounding.

    Args:
        embed: The map.
        pixels: x, (3, H, W).
        directions: Unit vectors, (m, k).
        epsilon: Half the range, as an L2 distance between images with pixels in [0, 1].
        points: Grid points, odd and at least 3, so that x itself is one.
        batch_size: Images embedded together; fewer where they do not fit into the memory.

    Returns:
        The constants. Cost: k (points - 1) + 1 forwards.

    Raises:
        ValueError: If epsilon, points or a direction is not as described, or epsilon is too small for x + epsilon d to
            differ from x by more than rounding.
    """
    check_grid(pixels, epsilon, points)
    lengths = torch.linalg.vector_norm(in_float64(directions), dim=0)
    if bool(((lengths - 1).abs() > 1e-5).any()):
        raise ValueError(f"Directions must have length 1, got lengths from {lengths.min():.3g} to {lengths.max():.3g}.")
    offsets = grid(epsilon, points)
    spacing = float(offsets[1] - offsets[0])
    with torch.no_grad():
        centre = in_float64(embed(pixels[None])[0])
        embedded = _along(embed, pixels, directions, offsets, centre, batch_size)  # (k, points, n)
    values = _largest_quotient(embedded, spacing)
    if not bool(values.isfinite().all()):
        raise ValueError(
            f"The embedding is NaN or infinite within {epsilon:.3g} of the image: take a smaller epsilon, or another "
            "dtype."
        )
    coarse = _largest_quotient(embedded[:, ::2], 2 * spacing) if points >= 5 else torch.full_like(values, torch.nan)
    floor = ROUNDING * torch.finfo(pixels.dtype).eps * float(centre.norm()) / spacing
    forwards = directions.shape[1] * (points - 1) + 1
    return Constants(values, (values - coarse).abs(), floor, forwards)


def check_grid(pixels: Tensor, epsilon: float, points: int) -> None:
    """Refuse a grid that cannot be measured on.

    Args:
        pixels: x, (3, H, W).
        epsilon: Half the range.
        points: Grid points.

    Raises:
        ValueError: If points is even or below 3, or epsilon is no positive number or too small for x + epsilon d to
            differ from x by more than rounding.
    """
    if points < 3 or points % 2 == 0:
        raise ValueError(f"The grid needs an odd number of points, at least 3, got {points}.")
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"Epsilon must be a positive number, got {epsilon}.")
    smallest = smallest_epsilon(pixels, points)
    if epsilon < smallest:
        name = str(pixels.dtype).removeprefix("torch.")
        raise ValueError(
            f"Epsilon {epsilon:.3g} is lost in the rounding of {name} pixels: take at least {smallest:.1e}, or float64."
        )


def smallest_epsilon(pixels: Tensor, points: int) -> float:
    """The least half range on whose grid neighbours differ by ten times the rounding of the pixels."""
    return 10 * torch.finfo(pixels.dtype).eps * float(in_float64(pixels).norm()) * (points - 1) / 2


def grid(epsilon: float, points: int) -> Tensor:
    """Equally spaced offsets over [-epsilon, epsilon] with an exact 0 in the middle, (points,), float64."""
    half = points // 2
    return epsilon / half * torch.arange(-half, half + 1, dtype=torch.float64)


def _along(
    embed: Embed, pixels: Tensor, directions: Tensor, offsets: Tensor, centre: Tensor, batch_size: int | BatchSize
) -> Tensor:
    """Embed x + t d for each direction (columns) and offset, taking f(x) as known: (k, points, n) in float64."""
    outer = [t for t in offsets.tolist() if t]
    places = [(k, t) for k in range(directions.shape[1]) for t in outer]

    def embedded_at(part: Sequence[tuple[int, float]]) -> Tensor:
        images = torch.stack([pixels + t * directions[:, k].to(pixels).view_as(pixels) for k, t in part])
        return in_float64(embed(images))

    embedded = torch.cat(in_batches(embedded_at, places, batch_size)).view(directions.shape[1], len(outer), -1)
    half = len(outer) // 2
    middle = centre.expand(len(embedded), 1, -1)
    return torch.cat([embedded[:, :half], middle, embedded[:, half:]], dim=1)


def _largest_quotient(embedded: Tensor, spacing: float) -> Tensor:
    largest: Tensor = (embedded[:, 1:] - embedded[:, :-1]).norm(dim=2).max(dim=1).values / spacing
    return largest.cpu()


@dataclass(frozen=True)
class SweepRow:
    """One epsilon of a sweep: the median constant over the directions, and its error budget.

    Args:
        epsilon: Half the range.
        constant: Median over the directions.
        floor: What rounding alone can make of it.
        curvature: Median of how far the constant is from that of four times the range, relatively.
    """

    epsilon: float
    constant: float
    floor: float
    curvature: float

    @property
    def error(self) -> float:
        """Both errors together, relative to the constant."""
        return self.curvature + (self.floor / self.constant if self.constant > 0 else float("inf"))


def sweep_epsilon(
    embed: Embed,
    pixels: Tensor,
    directions: Tensor,
    *,
    points: int = 3,
    largest: float = 1.0,
    steps: int = 10,
    batch_size: int | BatchSize = 8,
) -> list[SweepRow]:
    """Measure the constants over a range of epsilon, a quarter each time.

    Small ranges drown in rounding, large ones see the curvature of f; between them lies the plateau on which Eq. 7
    measures what the Jacobian says.

    Args:
        embed: The map.
        pixels: x, (3, H, W).
        directions: Unit vectors (m, k); a few do.
        points: Grid points of the measurement that the epsilon is for: they decide the rounding floor. The sweep itself
            takes three.
        largest: The largest epsilon.
        steps: How many; those too small for the dtype are left out.
        batch_size: Images embedded together; fewer where they do not fit into the memory.

    Returns:
        A row an epsilon, falling; the largest only serves as a neighbour and is not among them. Cost: 2 k + 1
        forwards an epsilon.
    """
    rows: list[SweepRow] = []
    before: Tensor | None = None
    for epsilon in (largest / 4**i for i in range(steps)):
        if epsilon < smallest_epsilon(pixels, points):
            break
        found = directional_constants(embed, pixels, directions, epsilon, points=3, batch_size=batch_size)
        if before is not None:
            change = ((before - found.values).abs() / found.values.clamp_min(1e-300)).median()
            rows.append(SweepRow(epsilon, float(found.values.median()), found.floor * (points - 1) / 2, float(change)))
        before = found.values
    return rows


def plateau(rows: list[SweepRow]) -> SweepRow:
    """The epsilon with the least error, of rounding and curvature together.

    Args:
        rows: A sweep, not empty.

    Returns:
        Its row.
    """
    return min(rows, key=lambda row: row.error)
