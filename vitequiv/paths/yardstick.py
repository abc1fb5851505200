"""How far a straight line goes before the embedding has drifted by a given amount."""

from __future__ import annotations

import torch
from torch import Tensor

from vitequiv.maps import Embed
from vitequiv.matching.box import project
from vitequiv.matching.objective import relative_residual
from vitequiv.precision import wide
from vitequiv.results.interpolate import Yardstick

DOUBLINGS, HALVINGS = 10, 8
"""From a thousandth of the longest way up to it, then to a relative accuracy of 2^-8."""


def yardstick(
    embed: Embed, start: Tensor, target: Tensor, randoms: Tensor, end: Tensor | None, drift: float
) -> Yardstick:
    """Go in straight lines until the relative drift of the embedding first exceeds a level, as far as doubling can see.

    Args:
        embed: The map from pixels to embeddings.
        start: (3, H, W) in [0, 1].
        target: f(start), (n,).
        randoms: Random directions of any length, (k, 3, H, W).
        end: An image to go to straight as well, (3, H, W); None for none.
        drift: The level of |f(x) - f(start)| / |f(start)|.

    Returns:
        The L2 distance from the start of the last point within the level, for each direction. Points are kept in the
        box, so that is less than the length gone where the box cuts. Cost: at most 19 forwards a direction.
    """
    ways = wide(randoms) if end is None else torch.cat([wide(randoms), wide(end - start)[None]])
    directions = (ways / ways.flatten(1).norm(dim=1).view(-1, 1, 1, 1)).to(start.dtype)
    longest = torch.full((len(ways),), float(start.numel()) ** 0.5, dtype=ways.dtype, device=start.device)
    if end is not None:
        longest[-1] = wide(end - start).norm()
    forwards = 0

    def points(lengths: Tensor) -> Tensor:
        return project(start + lengths.to(start.dtype).view(-1, 1, 1, 1) * directions)

    def within(lengths: Tensor) -> Tensor:
        nonlocal forwards
        forwards += len(lengths)
        with torch.no_grad():
            embeddings = embed(points(lengths))
        return relative_residual(embeddings - target, target.expand_as(embeddings)) <= drift

    low, high = torch.zeros_like(longest), longest / 2**DOUBLINGS
    going = torch.ones_like(longest, dtype=torch.bool)
    for _ in range(DOUBLINGS + 1):
        going &= within(high)
        low = torch.where(going, high, low)
        high = torch.where(going, torch.minimum(2 * high, longest), high)
        if not going.any():
            break
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = within(middle)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    reached = wide(points(low) - start).flatten(1).norm(dim=1)
    random = reached[: len(randoms)]
    return Yardstick(
        random=tuple(random.tolist()),
        random_median=float(random.quantile(0.5)),
        straight=None if end is None else float(reached[-1]),
        forwards=forwards,
    )
