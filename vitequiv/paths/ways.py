"""The paths, each gone and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.matching.goal import Goal
from vitequiv.matching.solver import Solver
from vitequiv.paths.linear import linear_path
from vitequiv.paths.matched import matched_path
from vitequiv.paths.measure import Anchors, halfway, measure
from vitequiv.paths.named import NamedPath
from vitequiv.paths.null_walk import null_walk
from vitequiv.paths.registered import registered_path
from vitequiv.paths.summary import general_summary, linear_summary, matched_summary, null_summary, shares
from vitequiv.paths.trace import Trace
from vitequiv.paths.yardstick import yardstick
from vitequiv.results.interpolate import PathPoint, Summary
from vitequiv.results.names import Reference

RANDOM_DIRECTIONS = 5
"""Directions of the yardstick."""

Observer = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Gone:
    """A path with its measures.

    Args:
        trace: The path.
        points: The measures of each point.
        summary: Those of the whole.
        reference: The reference embedding, (n,).
        measuring: Forwards that the measures took beside the path's own.
    """

    trace: Trace
    points: tuple[PathPoint, ...]
    summary: Summary
    reference: Tensor
    measuring: int


def go_linear(encoder: Encoder, start: Tensor, end: Tensor, steps: int, observe: Observer | None) -> Gone:
    """The straight path, measured; see `linear_path`."""
    trace = linear_path(encoder.embed, start, end, steps, observe)
    first, last = trace.embeddings[0], trace.embeddings[-1]
    anchors = Anchors(start, end, first, last, reference=first)
    places = [i / (steps - 1) for i in range(len(trace.pixels))]
    points = measure(anchors, trace, places, slopes=trace.slopes)
    return Gone(trace, points, linear_summary(trace, points), first, measuring=0)


def go_matched(
    encoder: Encoder,
    start: Tensor,
    end: Tensor,
    match: str | Tensor,
    steps: int,
    goal: Goal,
    solver: Solver,
    observe: Observer | None,
) -> Gone:
    """The path re-matched to one embedding, measured; see `matched_path`. `match` is as in `interpolate`."""
    images = {Reference.START: start, Reference.END: end}
    if isinstance(match, Tensor):
        which = Reference.IMAGE
        images[which] = one_image(encoder, match, "match")
    elif match in images:
        which = Reference(match)
    else:
        raise ValueError(f"match is {match!r}: give start, end or an image's pixels.")
    with torch.no_grad():
        known = {name: encoder.embed(image[None])[0] for name, image in images.items()}
    first, last, reference = known[Reference.START], known[Reference.END], known[which]
    trace = matched_path(encoder.embed, start, end, reference, steps=steps, goal=goal, solver=solver, observe=observe)
    places = [i / (steps - 1) for i in range(len(trace.pixels))]
    anchors = Anchors(start, end, first, last, reference)
    points = measure(anchors, trace, places, between=halfway(encoder.embed, trace.pixels))
    straight = (1 - places[-1]) * start + places[-1] * end
    summary = matched_summary(trace, points, which, straight)
    return Gone(trace, points, summary, reference, measuring=len(known) + len(points) - 1)


def go_null(
    encoder: Encoder,
    start: Tensor,
    end: Tensor | None,
    steps: int,
    tolerance: float,
    max_passes: int,
    seed: int,
    observe: Observer | None,
) -> Gone:
    """The walk in the null space, towards END or at random, measured beside straight lines; see `null_walk`."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn((1 + RANDOM_DIRECTIONS, *start.shape), generator=generator, dtype=torch.float64).to(start)
    # A quarter of a unit each pixel and step of full length: from mid-grey the box ends after two of them.
    way = (lambda x: end - x) if end is not None else (lambda x: noise[0] / 4)
    trace = null_walk(
        encoder.embed, start, way, steps=steps, tolerance=tolerance, max_passes=max_passes, observe=observe
    )
    reference = trace.embeddings[0]
    last = None
    if end is not None:
        with torch.no_grad():
            last = encoder.embed(end[None])[0]
    lines = yardstick(encoder.embed, start, reference, noise[1:], end, tolerance)
    places = shares(trace)
    anchors = Anchors(start, end, reference, last, reference)
    between = halfway(encoder.embed, trace.pixels)
    points = measure(anchors, trace, places, between=between)
    measuring = lines.forwards + len(between) + (last is not None)
    return Gone(trace, points, null_summary(trace, points, lines), reference, measuring)


def go_registered(
    encoder: Encoder,
    path: NamedPath,
    start: Tensor,
    end: Tensor,
    steps: int,
    max_passes: int,
    seed: int,
    observe: Observer | None,
) -> Gone:
    """A plugin's path, measured; see `registered_path`."""
    trace = registered_path(
        encoder.embed,
        path,
        start,
        end,
        steps=steps,
        max_passes=max_passes,
        generator=torch.Generator().manual_seed(seed),
        observe=observe,
    )
    first, last, measuring = trace.embeddings[0], trace.embeddings[-1], 0
    if not torch.equal(trace.pixels[-1], end):
        with torch.no_grad():
            last, measuring = encoder.embed(end[None])[0], 1
    points = measure(Anchors(start, end, first, last, reference=first), trace, shares(trace))
    return Gone(trace, points, general_summary(trace, points), first, measuring)


def one_image(encoder: Encoder, pixels: Tensor, name: str) -> Tensor:
    """Check one image.

    Args:
        encoder: The encoder.
        pixels: The image.
        name: What to call it in an error.

    Returns:
        (3, H, W) on the encoder's device.

    Raises:
        ValueError: If it is another shape or range.
    """
    if pixels.ndim != 3:
        raise ValueError(f"{name} must be one image (3, H, W), got shape {tuple(pixels.shape)}.")
    return encoder.batch(pixels, name)[0]
