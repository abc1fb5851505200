"""The derivative along segments, |J(x + a d) d|: what Eq. 7 tends to as its range is covered ever more finely."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.geometry.forward_mode import forward_mode
from vitequiv.geometry.operator import Jacobian
from vitequiv.maps import Embed
from vitequiv.precision import in_float64


@dataclass(frozen=True, eq=False)
class AlongSegments:
    """Derivatives on the grids of some directions.

    Args:
        values: |J(x + a d) d|, (k, points), float64, on the CPU.
        forwards: Forward passes spent.
        vjps: Products with J^T spent.
        jvps: Products with J spent, those by forward mode counted twice.
    """

    values: Tensor
    forwards: int
    vjps: int
    jvps: int


def derivatives_along(
    embed: Embed, pixels: Tensor, directions: Tensor, offsets: Tensor, *, batch_size: int = 8
) -> AlongSegments:
    """Measure how fast the embedding changes at each point of a grid along each direction.

    The smallest L of Eq. 7 is the largest of |J(x + a d) d| over the segment (by the mean value inequality it is no
    more, and by a quotient of two near points no less).

    Args:
        embed: The map.
        pixels: x, (3, H, W).
        directions: Unit vectors, (m, k).
        offsets: a, (points,).
        batch_size: Images taken together.

    Returns:
        The derivatives. Cost: 2 passes a point in forward mode; 3 where a layer has none and a second backward pass is
        taken.

    Raises:
        ModelError: If the model has neither.
    """
    if directions.shape[1] == 0:
        return AlongSegments(torch.zeros(0, len(offsets), dtype=torch.float64), 0, 0, 0)
    steps = directions.T.to(pixels)[:, None, :] * offsets.to(pixels)[None, :, None]  # (k, points, m)
    images = pixels + steps.reshape(-1, *pixels.shape)
    tangents = directions.T.to(pixels).repeat_interleave(len(offsets), dim=0).view_as(images)
    gains: list[Tensor] = []
    forwards = vjps = jvps = 0
    by_forward_mode = True
    for part, along in zip(torch.split(images, batch_size), torch.split(tangents, batch_size), strict=True):
        if by_forward_mode:
            try:
                products = forward_mode(embed, part, along)
            except (RuntimeError, NotImplementedError):
                by_forward_mode = False
            else:
                gains.append(in_float64(products).norm(dim=1).cpu())
                jvps += 2 * len(part)
                continue
        for image, tangent in zip(part, along, strict=True):
            operator = Jacobian(embed, image)
            gains.append(in_float64(operator @ tangent.flatten()).norm()[None].cpu())
            forwards, vjps, jvps = forwards + operator.forwards, vjps + operator.vjps, jvps + operator.jvps
    return AlongSegments(torch.cat(gains).view(directions.shape[1], -1), forwards, vjps, jvps)
