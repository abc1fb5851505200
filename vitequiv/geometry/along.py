"""The derivative along segments, |J(x + a d) d|: what Eq. 7 tends to as its range is covered ever more finely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.batching import BatchSize, in_batches
from vitequiv.geometry.forward_mode import forward_mode
from vitequiv.geometry.operator import Jacobian
from vitequiv.maps import Embed
from vitequiv.memory import is_out_of_memory
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
    embed: Embed, pixels: Tensor, directions: Tensor, offsets: Tensor, *, batch_size: int | BatchSize = 8
) -> AlongSegments:
    """Measure how fast the embedding changes at each point of a grid along each direction.

    The smallest L of Eq. 7 is the largest of |J(x + a d) d| over the segment (by the mean value inequality it is no
    more, and by a quotient of two near points no less).

    Args:
        embed: The map.
        pixels: x, (3, H, W).
        directions: Unit vectors, (m, k).
        offsets: a, (points,).
        batch_size: Images taken together; fewer where they do not fit into the memory.

    Returns:
        The derivatives. Cost: 2 passes a point in forward mode; 3 where a layer has none and a second backward pass is
        taken.

    Raises:
        ModelError: If the model has neither.
        OutOfMemoryError: If not even one image fits on an accelerator.
    """
    if directions.shape[1] == 0:
        return AlongSegments(torch.zeros(0, len(offsets), dtype=torch.float64), 0, 0, 0)
    forwards = vjps = jvps = 0
    by_forward_mode = True

    def gains(part: Sequence[tuple[int, float]]) -> Tensor:
        nonlocal forwards, vjps, jvps, by_forward_mode
        along = torch.stack([directions[:, k].to(pixels).view_as(pixels) for k, _ in part])
        images = torch.stack([pixels + a * tangent for (_, a), tangent in zip(part, along, strict=True)])
        if by_forward_mode:
            try:
                products = forward_mode(embed, images, along)
            except (RuntimeError, NotImplementedError) as error:
                if is_out_of_memory(error):
                    raise
                by_forward_mode = False
            else:
                jvps += 2 * len(part)
                lengths: Tensor = in_float64(products).norm(dim=1).cpu()
                return lengths
        found = []
        for image, tangent in zip(images, along, strict=True):
            operator = Jacobian(embed, image)
            found.append(in_float64(operator @ tangent.flatten()).norm()[None].cpu())
            forwards, vjps, jvps = forwards + operator.forwards, vjps + operator.vjps, jvps + operator.jvps
        return torch.cat(found)

    places = [(k, a) for k in range(directions.shape[1]) for a in offsets.tolist()]
    rows = in_batches(gains, places, batch_size)
    return AlongSegments(torch.cat(rows).view(directions.shape[1], -1), forwards, vjps, jvps)
