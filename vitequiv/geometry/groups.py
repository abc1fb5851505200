"""Groups of directions: what is known where they are drawn, the built-in ones, and those of plugins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vitequiv.errors import PluginError
from vitequiv.geometry.named import NamedDirections
from vitequiv.geometry.spectrum import Spectrum
from vitequiv.geometry.subspaces import NormalSpace
from vitequiv.plugins.guard import Blamed, is_builtin, title
from vitequiv.plugins.kinds import DIRECTIONS
from vitequiv.plugins.registry import find
from vitequiv.precision import in_float64

LENGTH_ERROR = 1e-4
"""How far from 1 the length of a direction may be, as float32 leaves it; beyond, it is a mistake and not rounding."""


@dataclass(frozen=True, eq=False)
class AtImage:
    """An image with all that is known of J there; to be read, not changed.

    Args:
        pixels: The image, (3, H, W) in [0, 1].
        matrix: J, (n, m) with m = 3 H W, in the encoder's dtype on its device.
        spectrum: Its decomposition.
        normal: Its row space, with projectors and samples.
        match: The matched image, (3, H, W); None where no match was asked for.
    """

    pixels: Tensor
    matrix: Tensor
    spectrum: Spectrum
    normal: NormalSpace
    match: Tensor | None = None


def singular(point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    """The right singular vectors, (m, r)."""
    del count, generator
    return point.spectrum.right


def uniform(point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    """Uniform on the sphere of all pixels, (m, count), float64."""
    gaussian = torch.randn((point.matrix.shape[1], count), generator=generator, dtype=torch.float64)
    directions: Tensor = gaussian / gaussian.norm(dim=0)
    return directions


def null(point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    """Uniform on the sphere of the null space, (m, count), float64."""
    return point.normal.sample_null(count, generator)


def to_match(point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    """From the image to its match, (m, 1), float64."""
    del count, generator
    if point.match is None:
        raise ValueError("The direction of a match needs a matched image.")
    change = in_float64(point.match - point.pixels).flatten()
    unit: Tensor = change / change.norm()
    return unit[:, None]


def find_directions(name: str) -> NamedDirections:
    """Look a group up.

    Args:
        name: One of `Directions`, or what a plugin has registered.

    Returns:
        The group; a plugin's names its owner when it fails. Raises an `UnknownNameError` if there is none.
    """
    found = find(DIRECTIONS, name)
    if is_builtin(found):
        return found.thing
    return replace(found.thing, draw=Blamed(found.thing.draw, title(DIRECTIONS, found)))


def draw(group: NamedDirections, point: AtImage, count: int, generator: torch.Generator) -> Tensor:
    """Draw the directions of a plugin's group, and hold it to what it promised.

    Args:
        group: The group.
        point: Where.
        count: How many, of a sample.
        generator: Seeds them.

    Returns:
        Unit vectors, (m, k), float64.

    Raises:
        PluginError: If they are of another shape or length, not finite, or another number than a sample has.
    """
    vectors = group.draw(point, count, generator)
    what = f"The group of directions {group.name!r}"
    size = point.matrix.shape[1]
    if not isinstance(vectors, Tensor) or not vectors.is_floating_point():
        kind = vectors.dtype if isinstance(vectors, Tensor) else type(vectors).__name__
        raise PluginError(f"{what} drew {kind} in place of floating-point vectors ({size}, k).")
    wanted = (size, count if group.sampled else max(1, vectors.shape[-1] if vectors.ndim else 1))
    if tuple(vectors.shape) != wanted:
        columns = str(count) if group.sampled else "k"
        raise PluginError(f"{what} drew vectors {tuple(vectors.shape)} in place of ({size}, {columns}), one a column.")
    vectors = in_float64(vectors.detach())
    lengths = vectors.norm(dim=0)
    if not bool(((lengths - 1).abs() <= LENGTH_ERROR).all()):  # NaN fails too
        raise PluginError(
            f"{what} drew vectors of length {float(lengths.min()):.3g} to {float(lengths.max()):.3g}: divide each "
            "column by its norm."
        )
    unit: Tensor = vectors / lengths
    return unit
