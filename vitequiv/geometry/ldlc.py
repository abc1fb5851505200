"""`vitequiv.ldlc`: local directional Lipschitz constants by group of directions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, ModelError
from vitequiv.geometry.along import AlongSegments, derivatives_along
from vitequiv.geometry.api import linearise, require_float
from vitequiv.geometry.budget import Preflight, preflight
from vitequiv.geometry.gains import gains, gains_in_law
from vitequiv.geometry.lipschitz import SweepRow, check_grid, directional_constants, grid, plateau, sweep_epsilon
from vitequiv.geometry.operator import NON_FINITE
from vitequiv.geometry.rows import dense
from vitequiv.geometry.spectrum import Spectrum, spectrum
from vitequiv.geometry.subspaces import NormalSpace
from vitequiv.memory import all_finite
from vitequiv.precision import in_float64
from vitequiv.results.cost import Cost
from vitequiv.results.ldlc import Checks, Directions, Group, LdlcResult
from vitequiv.results.status import Status

DEFAULT_COUNT = 10_000
DEFAULT_MEASURED = 100
DEFAULT_ALONG = 3
DEFAULT_POINTS = 5
SWEPT = 3
"""Directions that a sweep of epsilon looks along: the first singular vector and random ones."""


@dataclass(frozen=True, eq=False)
class _Point:
    """The image with all that is known of J there."""

    encoder: Encoder
    pixels: Tensor
    matrix: Tensor
    found: Spectrum
    normal: NormalSpace
    generator: torch.Generator


def ldlc(
    encoder: Encoder,
    pixels: Tensor,
    *,
    directions: Sequence[str] = (Directions.SINGULAR, Directions.RANDOM, Directions.NULL),
    match: Tensor | None = None,
    count: int = DEFAULT_COUNT,
    measured: int = DEFAULT_MEASURED,
    along: int = DEFAULT_ALONG,
    epsilon: float | None = None,
    points: int = DEFAULT_POINTS,
    sweep: bool = False,
    seed: int = 0,
    batch_size: int = 8,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> LdlcResult:
    """Estimate how fast the embedding changes along groups of directions (paper, Eq. 7, Fig. 3 and 4).

    J is computed once. |J d| is then linear algebra; for random and null directions beyond those measured it is drawn
    in law, which is exact: with z = V^T g for Gaussian g, |J d| = |S z| / sqrt(|z|^2 + c), c chi-squared with as many
    degrees of freedom as there are dimensions outside V. Eq. 7 itself takes forwards, for the singular vectors, for the
    first `measured` random and null directions and for the match; and for the first `along` of each group
    |J(x + a d) d| is measured on the same grid, which Eq. 7 tends to as the grid gets finer.

    Args:
        encoder: The encoder.
        pixels: One image (3, H, W) in [0, 1].
        directions: Names of `Directions`.
        match: For the group `match`: the matched image, (3, H, W).
        count: Random and null directions for |J d|.
        measured: Random and null directions for Eq. 7.
        along: Directions of each group for |J(x + a d) d|.
        epsilon: Half the range; None for the plateau, where rounding and curvature together disturb least.
        points: Grid points, odd, at least 3.
        sweep: Look along epsilon even where it is given.
        seed: Seed of the random directions.
        batch_size: Images embedded together.
        before: Told what J will take.
        observe: Told of rows of J done and rows in all.

    Returns:
        The constants. Cost: n + 2 vjps, (points - 1) forwards a direction measured, and 2 passes a point of those
        looked at along the grid.

    Raises:
        ValueError: If an argument is not as described, J is zero, or the encoder is in bfloat16.
        ResourceError: If J does not fit into memory.
        ImageError: If the embedding or its Jacobian is NaN or infinite.
    """
    (image,) = encoder.batch(pixels)
    require_float(encoder)
    groups = list(dict.fromkeys(Directions(name) for name in directions))
    if Directions.MATCH in groups and (match is None or torch.equal(encoder.batch(match)[0], image)):
        raise ValueError("The group match needs a matched image that differs from the image.")
    if along < 0:
        raise ValueError(f"The directions to look along cannot be fewer than none, got {along}.")
    if count < measured or measured < 1:
        raise ValueError(f"At least one direction must be measured, of those counted: got {measured} of {count}.")
    check_grid(image, 1.0 if epsilon is None else epsilon, points)
    began = time.perf_counter()
    operator = linearise(encoder, image)
    # V beside J, and random and null directions in float64: made, projected, and scaled.
    right = min(operator.shape) * torch.finfo(operator.dtype).bits // 8
    expected = preflight(operator, (right + 3 * 8 * measured) * operator.shape[1])
    if before:
        before(expected)
    matrix = dense(operator, (lambda row: observe(row, operator.shape[0])) if observe else None)
    if not all_finite(matrix):
        raise ImageError(NON_FINITE)
    found = spectrum(matrix)
    if found.rank == 0:
        raise ValueError("The Jacobian is zero at this image: there is nothing to compare constants with.")
    if Directions.NULL in groups and found.rank == operator.shape[1]:
        raise ValueError("The Jacobian has no null space here: leave the null directions out.")
    point = _Point(encoder, image, matrix, found, NormalSpace(found.right), torch.Generator().manual_seed(seed))
    forwards, vjps, jvps = operator.forwards, operator.vjps, operator.jvps

    rows: list[SweepRow] = []
    if epsilon is None or sweep:
        swept = torch.cat([found.right[:, :1].cpu(), _random(point, SWEPT - 1)], dim=1)
        rows = sweep_epsilon(encoder.embed, image, swept, points=points, batch_size=batch_size)
        forwards += (len(rows) + 1) * (2 * SWEPT + 1)
    chosen = epsilon is None
    if epsilon is None:
        if not rows:
            raise ValueError("No epsilon is above the rounding of these pixels: use float64.")
        epsilon = plateau(rows).epsilon

    results: dict[Directions, Group] = {}
    leak: float | None = None
    for name in groups:
        # One sequence a group: which others are asked for does not change its directions.
        point.generator.manual_seed(8 * seed + 1 + list(Directions).index(name))
        vectors, derivatives = _directions(point, name, match, count, measured)
        constants = directional_constants(encoder.embed, image, vectors, epsilon, points=points, batch_size=batch_size)
        segments = _segments(point, vectors[:, :along], grid(epsilon, points), batch_size)
        if name is Directions.NULL:
            leak = float(point.normal.overlaps(vectors).norm(dim=0).max())
        forwards += constants.forwards + segments.forwards
        vjps, jvps = vjps + segments.vjps, jvps + segments.jvps
        results[name] = Group(constants.values, constants.truncation, constants.floor, derivatives, segments.values)
    return LdlcResult(
        status=Status.CONVERGED,
        message=Status.CONVERGED.sentence,
        epsilon=epsilon,
        chosen=chosen,
        points=points,
        sweep=tuple(rows),
        singular_values=found.singular_values,
        groups=results,
        checks=_checks(point, results, leak),
        cost=Cost(forwards, vjps, jvps, time.perf_counter() - began, expected.bytes / 2**20),
    )


def _segments(point: _Point, vectors: Tensor, offsets: Tensor, batch_size: int) -> AlongSegments:
    try:
        return derivatives_along(point.encoder.embed, point.pixels, vectors, offsets, batch_size=batch_size)
    except ModelError:  # a model with a backward pass alone: the rest can be measured all the same
        return derivatives_along(point.encoder.embed, point.pixels, vectors[:, :0], offsets)


def _random(point: _Point, count: int) -> Tensor:
    gaussian = torch.randn((point.matrix.shape[1], count), generator=point.generator, dtype=torch.float64)
    directions: Tensor = gaussian / gaussian.norm(dim=0)
    return directions


def _directions(
    point: _Point, name: Directions, match: Tensor | None, count: int, measured: int
) -> tuple[Tensor, Tensor]:
    """The unit vectors to measure along, (m, k), and |J d| for all of the group."""
    if name is Directions.SINGULAR:
        vectors = point.found.right
    elif name is Directions.NULL:
        vectors = point.normal.sample_null(measured, point.generator)
    elif name is Directions.RANDOM:
        vectors = _random(point, measured)
    else:
        assert match is not None  # checked before anything was computed
        change = in_float64(point.encoder.batch(match)[0] - point.pixels).flatten()
        vectors = (change / change.norm())[:, None]
    derivatives = gains(point.matrix, vectors)
    if name in {Directions.RANDOM, Directions.NULL}:
        values = point.found.singular_values.cpu()
        inside = values if name is Directions.RANDOM else values[point.found.rank :]
        outside = point.matrix.shape[1] - len(values)
        drawn = gains_in_law(inside, outside, count - measured, point.generator)
        derivatives = torch.cat([derivatives, drawn])
    return vectors, derivatives


def _checks(point: _Point, groups: dict[Directions, Group], leak: float | None) -> Checks:
    values = point.found.singular_values.cpu()
    singular = isotropic = error = null = None
    if group := groups.get(Directions.SINGULAR):
        singular = _largest_difference(group.measured, values[: point.found.rank], group.floor)
    if group := groups.get(Directions.RANDOM):
        ratios = group.derivatives.square() * point.matrix.shape[1] / float(values.square().sum())
        isotropic = float(ratios.mean())
        error = float(ratios.std() / len(ratios) ** 0.5) if len(ratios) > 1 else None
    if group := groups.get(Directions.NULL):
        null = float(group.derivatives.max() / values[0])
    forms = [
        difference
        for group in groups.values()
        if len(group.along)
        and (
            difference := _largest_difference(
                group.measured[: len(group.along)], group.along.max(dim=1).values, group.floor
            )
        )
        is not None
    ]
    return Checks(singular, isotropic, error, null, leak, max(forms, default=None))


def _largest_difference(measured: Tensor, reference: Tensor, floor: float) -> float | None:
    """Compare where the reference is far enough above the floor.

    Returns:
        The largest relative difference; None if nothing is so clear.
    """
    clear = reference > 100 * floor
    if not bool(clear.any()):
        return None
    return float(((measured[clear] - reference[clear]).abs() / reference[clear]).max())
