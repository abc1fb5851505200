"""Counts what an attack asks of an encoder, and notes when its iterate first reaches each cosine.

The attack is handed a `Recorder` in the encoder's place, so that nothing in it needs to change and all are counted
alike: a forward of one image is a pass, its backward to the pixels another. Whatever asks for a gradient is an iterate,
a line search's trial points among them. One outside the box is measured at its projection on the box, by a forward that
is neither counted nor timed.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.match import THRESHOLDS
from vitequiv.maps import Embed
from vitequiv.matching.box import project
from vitequiv.matching.objective import cosine_similarity

THERE = "cosine reached"
"""Why an attack ended that reached the highest cosine: no budget that it kept within would have changed it."""


class Enough(Exception):  # noqa: N818 - not an error: it ends an attack that has no such means itself
    """Raised out of an attack that has reached the highest cosine or spent its passes."""


@dataclass(frozen=True)
class Reached:
    """What had been spent, and how far the image had moved, when a cosine was first reached."""

    passes: int
    seconds: float
    l2: float


@dataclass
class Outcome:
    """One attack on one pair: what it reached, and what it had spent when it ended."""

    reached: dict[float, Reached] = field(default_factory=dict)
    best_cosine: float = -1.0
    forwards: int = 0
    backwards: int = 0
    seconds: float = 0.0
    ended: str = "by itself"
    error: str | None = None

    @property
    def passes(self) -> int:
        return self.forwards + self.backwards


def outcome_from_json(run: Mapping[str, Any]) -> Outcome:
    """Read back what `dataclasses.asdict` and `json` made of an outcome, other keys beside it."""
    fields = {f.name: run[f.name] for f in dataclasses.fields(Outcome)}
    return Outcome(**fields | {"reached": {float(cosine): Reached(**at) for cosine, at in run["reached"].items()}})


class Recorder:
    """An encoder under observation. Counts from `start` on, so that what a library checks when set up is free.

    Args:
        embed: The map from pixels (B, 3, H, W) to embeddings.
        source: The source's pixels (1, 3, H, W).
        target: The target's pixels (1, 3, H, W); its embedding is not counted.
        max_passes: The budget; a forward that it does not allow is not made.
    """

    def __init__(self, embed: Embed, source: Tensor, target: Tensor, max_passes: int) -> None:
        self.source, self.target, self.max_passes = source, target, max_passes
        self._embed = embed
        with torch.no_grad():
            self.wanted = embed(target)
        self.outcome = Outcome()
        self._started: float | None = None

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        if self._started is not None:
            self.outcome.seconds = time.perf_counter() - self._started
            self._started = None

    def __call__(self, pixels: Tensor) -> Tensor:
        if self._started is None:
            return self._embed(pixels)
        if self.outcome.passes + len(pixels) > self.max_passes:
            raise Enough("passes spent")
        self.outcome.forwards += len(pixels)
        if not pixels.requires_grad:
            return self._embed(pixels)
        counted = pixels.view_as(pixels)
        # torch declares register_hook without types.
        counted.register_hook(self._count_backward)  # type: ignore[no-untyped-call]
        embedding = self._embed(counted)
        self._measure(pixels.detach(), embedding.detach())
        return embedding

    def _count_backward(self, gradient: Tensor) -> None:
        self.outcome.backwards += len(gradient)

    def _measure(self, pixels: Tensor, embedding: Tensor) -> None:
        assert self._started is not None
        began = time.perf_counter()
        inside = project(pixels)
        if not torch.equal(inside, pixels):
            with torch.no_grad():
                embedding = self._embed(inside)
        cosine = cosine_similarity(embedding, self.wanted).max().item()
        distance = (inside - self.source).double().norm().item()
        if cosine > self.outcome.best_cosine:  # not so for NaN
            self.outcome.best_cosine = cosine
        for threshold in THRESHOLDS:
            if cosine >= threshold and threshold not in self.outcome.reached:
                self.outcome.reached[threshold] = Reached(self.outcome.passes, began - self._started, distance)
        if max(THRESHOLDS) in self.outcome.reached:
            raise Enough(THERE)
        self._started += time.perf_counter() - began  # measuring is not the attack's work
