"""Checks of a path: between small images, through the same loop as in every run."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.paths.named import NamedPath
from vitequiv.paths.registered import registered_path
from vitequiv.paths.trace import Trace
from vitequiv.plugins.kinds import PATH
from vitequiv.plugins.registry import find
from vitequiv.results.status import Status
from vitequiv.testing.bench import embed, images, twice, untouched
from vitequiv.testing.report import Report, outcome, report
from vitequiv.testing.subject import CheckError

_STEPS = (2, 3, 11)
_ENOUGH = 10_000


def check_path(path: NamedPath | str) -> Report:
    """Check that a path does what `vitequiv interpolate` relies on.

    Args:
        path: What is registered, or its name.

    Returns:
        What passed. Cost: less than a second for a path that needs few passes; no encoder.

    Raises:
        ValueError: If the path is a built-in one.
        ConformanceError: If a check failed; it names each, with what was measured and what to change.
    """
    path = find(PATH, path).thing if isinstance(path, str) else path
    if path.points is None:
        raise ValueError(f"The path {path.name} is built in, and `interpolate` goes it itself: check one of your own.")
    bench = _Bench(path)
    checks = ("ends", "box", "inputs", "determinism", "budget", "precision")
    return report(path.name, {check: outcome(check, getattr(bench, check)) for check in checks}, "path")


@dataclass(frozen=True)
class _Bench:
    """The checks of one path."""

    path: NamedPath

    def ends(self) -> None:
        """From START itself, to END itself if it arrives, in 2 to `steps` points."""
        start, end = images(2, 0)
        for steps in _STEPS:
            trace = self._go(start, end, steps)  # which holds it to START, END, shapes and the number of points
            if trace.status is not Status.CONVERGED:
                raise CheckError(
                    f"asked for {steps} points it ended {trace.status} after {len(trace.pixels)}",
                    f"come to an end within {_ENOUGH} passes on a small map",
                )

    def box(self) -> None:
        """Pixels stay in [0, 1] between the corners of the box too."""
        black, white = torch.zeros_like(images(1, 0)[0]), torch.ones_like(images(1, 0)[0])
        corner = images(1, 0)[0].round()
        for start, end in ((black, white), (white, black), (corner, 1 - corner)):
            self._go(start, end, _STEPS[-1])

    def inputs(self) -> None:
        """START and END are not changed in place."""
        start, end = images(2, 0)
        with untouched("make new tensors in place of +=, mul_() and their like", start=start, end=end):
            self._go(start, end, _STEPS[-1])

    def determinism(self) -> None:
        """The same seed gives the same points, and torch's own random numbers are left alone."""
        start, end = images(2, 0)
        twice(lambda: self._go(start, end, _STEPS[-1]).pixels, "paths")

    def budget(self) -> None:
        """It ends where the passes do, at the points it has."""
        start, end = images(2, 0)
        for most in (1, 2, 5):
            trace = self._go(start, end, _STEPS[-1], most)
            if trace.spent.passes > most or trace.status is Status.NON_FINITE:
                raise CheckError(
                    f"allowed {most} passes it spent {trace.spent.passes} and ended {trace.status}",
                    "let the error through that request.embed raises when no pass is left",
                )

    def precision(self) -> None:
        """An encoder in float32 is served too."""
        start, end = images(2, 0, torch.float32)
        self._go(start, end, _STEPS[-1])

    def _go(self, start: Tensor, end: Tensor, steps: int, max_passes: int = _ENOUGH) -> Trace:
        generator = torch.Generator().manual_seed(0)
        return registered_path(embed, self.path, start, end, steps=steps, max_passes=max_passes, generator=generator)
