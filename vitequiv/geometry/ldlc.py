"""`vitequiv.ldlc`: local directional Lipschitz constants by group of directions."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.geometry.budget import Preflight, preflight
from vitequiv.geometry.lipschitz import SweepRow, directional_constants, plateau, sweep_epsilon
from vitequiv.geometry.operator import Jacobian
from vitequiv.geometry.rows import dense
from vitequiv.geometry.spectrum import Spectrum, spectrum
from vitequiv.geometry.subspaces import NormalSpace
from vitequiv.results.cost import Cost
from vitequiv.results.ldlc import Checks, Directions, Group, LdlcResult
from vitequiv.results.status import Status

DEFAULT_COUNT = 10_000
DEFAULT_MEASURED = 100
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
    epsilon: float | None = None,
    points: int = DEFAULT_POINTS,
    sweep: bool = False,
    seed: int = 0,
    batch_size: int = 8,
    before: Callable[[Preflight], None] | None = None,
    observe: Callable[[int, int], None] | None = None,
) -> LdlcResult:
    """Estimate how fast the embedding changes along groups of directions (paper, Eq. 7, Fig. 3 and 4).

    J is computed once. |J d| is then linear algebra; for random directions beyond those measured it is drawn in law,
    which is exact: with z = V^T g for Gaussian g, |J d| = |S z| / sqrt(|z|^2 + c), c chi-squared with m - r degrees of
    freedom. Eq. 7 itself takes forwards, for the singular vectors, for the first `measured` random and null directions
    and for the match.

    Args:
        encoder: The encoder.
        pixels: One image (3, H, W) in [0, 1].
        directions: Names of `Directions`.
        match: For the group `match`: the matched image, (3, H, W).
        count: Random directions for |J d|.
        measured: Random and null directions for Eq. 7.
        epsilon: Half the range; None for the plateau, where rounding and curvature together disturb least.
        points: Grid points, odd, at least 3.
        sweep: Look along epsilon even where it is given.
        seed: Seed of the random directions.
        batch_size: Images embedded together.
        before: Told what J will take.
        observe: Told of rows of J done and rows in all.

    Returns:
        The constants. Cost: n + 2 vjps, and (points - 1) forwards a direction measured.

    Raises:
        ValueError: If an argument is not as described.
        ResourceError: If J does not fit into memory.
    """
    (image,) = encoder.batch(pixels)
    groups = [Directions(name) for name in directions]
    if Directions.MATCH in groups and (match is None or torch.equal(encoder.batch(match)[0], image)):
        raise ValueError("The group match needs a matched image that differs from the image.")
    if count < measured or measured < 1:
        raise ValueError(f"At least one direction must be measured, of those counted: got {measured} of {count}.")
    began = time.perf_counter()
    operator = Jacobian(encoder.embed, image)
    expected = preflight(operator)
    if before:
        before(expected)
    matrix = dense(operator, (lambda row: observe(row, operator.shape[0])) if observe else None)
    found = spectrum(matrix)
    if found.rank == 0:
        raise ValueError("The embedding does not depend on the pixels here: every constant is zero.")
    generator = torch.Generator().manual_seed(seed)
    point = _Point(encoder, image, matrix, found, NormalSpace(found.right), generator)
    forwards = operator.forwards

    rows: list[SweepRow] = []
    if epsilon is None or sweep:
        along = torch.cat([found.right[:, :1].cpu(), _random(point, SWEPT - 1)], dim=1)
        rows = sweep_epsilon(encoder.embed, image, along, batch_size=batch_size)
        forwards += (len(rows) + 1) * (2 * SWEPT + 1)
    chosen = epsilon is None
    if epsilon is None:
        if not rows:
            raise ValueError("No epsilon is above the rounding of these pixels: use float64.")
        epsilon = plateau(rows).epsilon

    results: dict[Directions, Group] = {}
    for name in groups:
        vectors, derivatives = _directions(point, name, match, count, measured)
        constants = directional_constants(encoder.embed, image, vectors, epsilon, points=points, batch_size=batch_size)
        forwards += constants.forwards
        results[name] = Group(constants.values, constants.truncation, constants.floor, derivatives)
    return LdlcResult(
        status=Status.CONVERGED,
        message=Status.CONVERGED.sentence,
        epsilon=epsilon,
        chosen=chosen,
        points=points,
        sweep=tuple(rows),
        singular_values=found.singular_values,
        groups=results,
        checks=_checks(point, results),
        cost=Cost(forwards, operator.vjps, operator.jvps, time.perf_counter() - began, expected.bytes / 2**20),
    )


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
        change = (point.encoder.batch(match)[0] - point.pixels).double().flatten()
        vectors = (change / change.norm())[:, None]
    derivatives = _gains(point, vectors)
    if name is Directions.RANDOM:
        derivatives = torch.cat([derivatives, _random_gains(point, count - measured)])
    return vectors, derivatives


def _gains(point: _Point, vectors: Tensor) -> Tensor:
    """|J d| in float64, a block of directions at a time."""
    matrix = point.matrix.double()
    blocks = (vectors[:, begin : begin + 64] for begin in range(0, vectors.shape[1], 64))
    return torch.cat([(matrix @ block.to(matrix)).norm(dim=0).cpu() for block in blocks])


def _random_gains(point: _Point, count: int) -> Tensor:
    """|J d| for uniform unit d, drawn in law without making d."""
    values = point.found.singular_values[: point.found.rank].cpu()
    inside = torch.randn((count, len(values)), generator=point.generator, dtype=torch.float64)
    freedom = point.matrix.shape[1] - len(values)
    # torch draws chi-squared variables only from its global generator; NumPy's is seeded from ours.
    seed = int(torch.randint(2**62, (), generator=point.generator))
    chisquare = np.random.default_rng(seed).chisquare(freedom, count) if freedom else np.zeros(count)
    outside = torch.from_numpy(chisquare)
    gains: Tensor = (inside * values).norm(dim=1) / (inside.square().sum(1) + outside).sqrt()
    return gains


def _checks(point: _Point, groups: dict[Directions, Group]) -> Checks:
    values = point.found.singular_values.cpu()
    singular = isotropic = error = null = None
    if group := groups.get(Directions.SINGULAR):
        clear = values[: point.found.rank] > 100 * group.floor
        if clear.any():
            reference = values[: point.found.rank][clear]
            singular = float(((group.measured[clear] - reference).abs() / reference).max())
    if group := groups.get(Directions.RANDOM):
        ratios = group.derivatives.square() * point.matrix.shape[1] / float(values.square().sum())
        isotropic, error = float(ratios.mean()), float(ratios.std() / len(ratios) ** 0.5)
    if group := groups.get(Directions.NULL):
        null = float(group.derivatives.max() / values[0])
    return Checks(singular, isotropic, error, null)
