"""Checks of a group of directions: on Jacobians of full and of lower rank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.geometry.groups import LENGTH_ERROR, AtImage, draw
from vitequiv.geometry.named import NamedDirections
from vitequiv.geometry.spectrum import spectrum
from vitequiv.geometry.subspaces import NormalSpace
from vitequiv.plugins.kinds import DIRECTIONS
from vitequiv.plugins.registry import find
from vitequiv.testing.bench import DIM, images, twice, untouched
from vitequiv.testing.report import Report, outcome, report
from vitequiv.testing.subject import CheckError, InapplicableError

_COUNTS = (1, 4)


def check_directions(group: NamedDirections | str) -> Report:
    """Check that a group of directions does what `vitequiv ldlc` relies on.

    Args:
        group: What is registered, or its name.

    Returns:
        What passed and what was not applicable. Cost: less than a second; no encoder.

    Raises:
        ConformanceError: If a check failed; it names each, with what was measured and what to change.
    """
    bench = _Bench(find(DIRECTIONS, group).thing if isinstance(group, str) else group)
    checks = ("shape", "length", "inputs", "determinism", "seed", "precision", "rank")
    outcomes = {check: outcome(check, getattr(bench, check)) for check in checks}
    return report(bench.group.name, outcomes, "group of directions")


@dataclass(frozen=True)
class _Bench:
    """The checks of one group."""

    group: NamedDirections

    def shape(self) -> None:
        """Columns of m numbers, as many as asked for if they are a sample."""
        point = _point()
        size = point.matrix.shape[1]
        for count in _COUNTS:
            found = self._draw(point, count)
            wanted = count if self.group.sampled else "k"
            right = found.ndim == 2 and found.shape[0] == size and found.shape[1] >= 1
            if not right or (self.group.sampled and found.shape[1] != count):
                raise CheckError(
                    f"asked for {count} directions it drew a tensor {tuple(found.shape)}, not ({size}, {wanted})",
                    "one direction a column; sampled=False where there are as many as there are",
                )

    def length(self) -> None:
        """Each of length 1, and finite."""
        lengths = self._draw(_point(), _COUNTS[-1]).double().norm(dim=0)
        if not bool(((lengths - 1).abs() <= LENGTH_ERROR).all()):
            raise CheckError(
                f"lengths from {float(lengths.min()):.3g} to {float(lengths.max()):.3g}",
                "divide each column by its norm: vectors / vectors.norm(dim=0)",
            )

    def inputs(self) -> None:
        """Nothing of what is known at the image is changed in place."""
        point = _point()
        with untouched(
            "make new tensors; the matrix and its decomposition serve the other groups too",
            pixels=point.pixels,
            matrix=point.matrix,
            singular_values=point.spectrum.singular_values,
            right=point.spectrum.right,
        ):
            self._draw(point, _COUNTS[-1])

    def determinism(self) -> None:
        """The same seed gives the same directions, and torch's own random numbers are left alone."""
        twice(lambda: self._draw(_point(), _COUNTS[-1]), "groups of directions")

    def seed(self) -> None:
        """Another seed gives another sample."""
        if not self.group.sampled:
            raise InapplicableError("the group is no sample")
        point = _point()
        if torch.equal(self._draw(point, _COUNTS[-1]), self._draw(point, _COUNTS[-1], seed=1)):
            raise CheckError(
                "two seeds gave the same directions", "draw from the generator given, or register it with sampled=False"
            )

    def precision(self) -> None:
        """An encoder in float32 is served too."""
        point = _point(dtype=torch.float32)
        draw(self.group, point, _COUNTS[-1], torch.Generator().manual_seed(0))

    def rank(self) -> None:
        """So is a Jacobian that has less than full rank."""
        draw(self.group, _point(rank=DIM - 2), _COUNTS[-1], torch.Generator().manual_seed(0))

    def _draw(self, point: AtImage, count: int, seed: int = 0) -> Tensor:
        return self.group.draw(point, count, torch.Generator().manual_seed(seed))


def _point(dtype: torch.dtype = torch.float64, rank: int = DIM) -> AtImage:
    image, match = images(2, 0, dtype)
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(size, generator=generator, dtype=torch.float64) for size in ((DIM, rank), (rank, 192)))
    matrix = (left @ right).to(dtype)
    found = spectrum(matrix)
    return AtImage(image, matrix, found, NormalSpace(found.right), match)
