"""`vitequiv.ldlc`: local directional Lipschitz constants by group of directions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, batch_size_of, settle
from vitequiv.encoders.base import Encoder
from vitequiv.errors import ImageError, ModelError
from vitequiv.geometry.along import AlongSegments, derivatives_along
from vitequiv.geometry.api import linearise, require_float
from vitequiv.geometry.budget import Preflight, preflight
from vitequiv.geometry.gains import gains, gains_in_law
from vitequiv.geometry.groups import AtImage, draw, find_directions, uniform
from vitequiv.geometry.lipschitz import SweepRow, check_grid, directional_constants, grid, plateau, sweep_epsilon
from vitequiv.geometry.named import NamedDirections
from vitequiv.geometry.operator import NON_FINITE
from vitequiv.geometry.rows import dense
from vitequiv.geometry.spectrum import spectrum
from vitequiv.geometry.subspaces import NormalSpace
from vitequiv.memory import all_finite
from vitequiv.results.cost import Cost
from vitequiv.results.ldlc import Checks, Group, LdlcResult
from vitequiv.results.names import Directions
from vitequiv.results.status import Status

DEFAULT_COUNT = 10_000
DEFAULT_MEASURED = 100
DEFAULT_ALONG = 3
DEFAULT_POINTS = 5
SWEPT = 3
"""Directions that a sweep of epsilon looks along: the first singular vector and random ones."""


def ldlc(
    encoder: Encoder,
    pixels: Tensor,
    *,
    directions: Sequence[str | NamedDirections] = (Directions.SINGULAR, Directions.RANDOM, Directions.NULL),
    match: Tensor | None = None,
    count: int = DEFAULT_COUNT,
    measured: int = DEFAULT_MEASURED,
    along: int = DEFAULT_ALONG,
    epsilon: float | None = None,
    points: int = DEFAULT_POINTS,
    sweep: bool = False,
    seed: int = 0,
    batch_size: int | BatchSize | None = None,
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
        directions: Names of `Directions` or of groups that plugins have registered, or such groups themselves; of
            the latter as many as are measured are drawn.
        match: For the group `match`: the matched image, (3, H, W).
        count: Random and null directions for |J d|.
        measured: Random and null directions for Eq. 7.
        along: Directions of each group for |J(x + a d) d|.
        epsilon: Half the range; None for the plateau, where rounding and curvature together disturb least.
        points: Grid points, odd, at least 3.
        sweep: Look along epsilon even where it is given.
        seed: Seed of the random directions.
        batch_size: Images embedded together, or a size that is shared; None to go by the free memory, which takes 3
            forwards that are not counted. Where it runs out all the same, they are halved and a warning is logged.
        before: Told what J will take.
        observe: Told of rows of J done and rows in all.

    Returns:
        The constants. Cost: n + 2 vjps, (points - 1) forwards a direction measured, and 2 passes a point of those
        looked at along the grid.

    Raises:
        ValueError: If an argument is not as described, J is zero, or the encoder is in bfloat16.
        ResourceError: If J does not fit into memory.
        ImageError: If the embedding or its Jacobian is NaN or infinite.
        PluginError: If a plugin's group fails.
    """
    (image,) = encoder.batch(pixels)
    require_float(encoder)
    groups = {group.name: group for group in map(_group, directions)}
    if Directions.MATCH in groups and (match is None or torch.equal(encoder.batch(match)[0], image)):
        raise ValueError("The group match needs a matched image that differs from the image.")
    if along < 0:
        raise ValueError(f"The directions to look along cannot be fewer than none, got {along}.")
    if count < measured or measured < 1:
        raise ValueError(f"At least one direction must be measured, of those counted: got {measured} of {count}.")
    check_grid(image, 1.0 if epsilon is None else epsilon, points)
    together = batch_size_of(batch_size)
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
    matched = None if match is None else encoder.batch(match)[0]
    point = AtImage(image, matrix, found, NormalSpace(found.right), matched)
    forwards, vjps, jvps = operator.forwards, operator.vjps, operator.jvps

    settle(together, encoder.embed, image)
    rows: list[SweepRow] = []
    if epsilon is None or sweep:
        at_random = uniform(point, SWEPT - 1, torch.Generator().manual_seed(seed))
        swept = torch.cat([found.right[:, :1].cpu(), at_random], dim=1)
        rows = sweep_epsilon(encoder.embed, image, swept, points=points, batch_size=together)
        forwards += (len(rows) + 1) * (2 * SWEPT + 1)
    chosen = epsilon is None
    if epsilon is None:
        if not rows:
            raise ValueError("No epsilon is above the rounding of these pixels: use float64.")
        epsilon = plateau(rows).epsilon

    results: dict[str, Group] = {}
    leak: float | None = None
    for name, group in groups.items():
        vectors, derivatives = _directions(point, group, count, measured, _generator(name, seed))
        constants = directional_constants(encoder.embed, image, vectors, epsilon, points=points, batch_size=together)
        segments = _segments(encoder, image, vectors[:, :along], grid(epsilon, points), together)
        if name == Directions.NULL:
            leak = float(point.normal.overlaps(vectors).norm(dim=0).max())
        forwards += constants.forwards + segments.forwards
        vjps, jvps = vjps + segments.vjps, jvps + segments.jvps
        results[name] = Group(
            constants.values, constants.truncation, constants.floor, derivatives, segments.values, group.sampled
        )
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


def _group(given: str | NamedDirections) -> NamedDirections:
    if isinstance(given, str):
        return find_directions(given)
    if given.name in set(Directions) and given != find_directions(given.name):
        raise ValueError(f"The name {given.name!r} is that of a built-in group: give yours another.")
    return given


def _generator(name: str, seed: int) -> torch.Generator:
    """One sequence a group: which others are asked for, or installed, does not change its directions."""
    known = list(Directions)
    if name in known:
        return torch.Generator().manual_seed(8 * seed + 1 + known.index(Directions(name)))
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)


def _segments(
    encoder: Encoder, image: Tensor, vectors: Tensor, offsets: Tensor, batch_size: BatchSize
) -> AlongSegments:
    try:
        return derivatives_along(encoder.embed, image, vectors, offsets, batch_size=batch_size)
    except ModelError:  # a model with a backward pass alone: the rest can be measured all the same
        return derivatives_along(encoder.embed, image, vectors[:, :0], offsets)


def _directions(
    point: AtImage, group: NamedDirections, count: int, measured: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The unit vectors to measure along, (m, k), and |J d| for all of the group."""
    if group.name not in set(Directions):
        vectors = draw(group, point, measured, generator)
        return vectors, gains(point.matrix, vectors)
    vectors = group.draw(point, measured, generator)
    derivatives = gains(point.matrix, vectors)
    if group.sampled:
        values = point.spectrum.singular_values.cpu()
        inside = values if group.name == Directions.RANDOM else values[point.spectrum.rank :]
        outside = point.matrix.shape[1] - len(values)
        drawn = gains_in_law(inside, outside, count - measured, generator)
        derivatives = torch.cat([derivatives, drawn])
    return vectors, derivatives


def _checks(point: AtImage, groups: dict[str, Group], leak: float | None) -> Checks:
    values = point.spectrum.singular_values.cpu()
    singular = isotropic = error = null = None
    if group := groups.get(Directions.SINGULAR):
        singular = _largest_difference(group.measured, values[: point.spectrum.rank], group.floor)
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
