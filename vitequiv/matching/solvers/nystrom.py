"""Polyak's step with curvature kept in embedding space, and a displacement that sheds what no longer matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.solver import dot, per_image
from vitequiv.precision import in_float64

SMALLEST = 1e-3
"""Share of the largest curvature along the cotangents kept below which a direction is noise."""
STEEP = 0.2
"""What a large eigenvalue is multiplied by where r is divided by it; the step size, if that is larger."""
PROGRESS = 0.97
"""A step after which more than this share of the residual is left has shed too much."""
REGROWTH = 1.05
"""Growth of the shedding after every other step."""
LARGEST_SHED = 0.3
"""Share of the displacement's idle part that a step may take back at most."""
PARALLEL = 1e-6
"""Share of the last pull's square that must lie across the present one for a plane to be spanned."""


@dataclass(frozen=True)
class NystromState:
    """What is known of K = J J^T, and how the last step went; float64, but for the start.

    Args:
        start: Where the images started (B, 3, H, W).
        cotangents: What was pulled back, times its step length, (B, memory, n), the oldest first; 0 for none.
        changes: The fall of the embedding that followed, (B, memory, n), which is about K times the cotangent.
        rest: Estimate of the eigenvalues of K outside the space of those, (B,); NaN before the first.
        embedding: f at the last point (B, n).
        cotangent: The last cotangent, times its step length (B, n).
        pulled: What the last step pulled back, (B, 3, H, W); 0 before the first.
        distance: |f(x) - f(x_tg)| at the last point (B,); infinite before the first.
        shed: Length of what is taken back of the displacement, as a share of the step, (B,).
    """

    start: Tensor
    cotangents: Tensor
    changes: Tensor
    rest: Tensor
    embedding: Tensor
    cotangent: Tensor
    pulled: Tensor
    distance: Tensor
    shed: Tensor


@dataclass(frozen=True)
class Nystrom:
    """x <- x - t J^T y - s e, with y = K^-1 r for a Nyström model of K = J J^T. Cost: 2 passes a step.

    Each step shows what K does to one cotangent, at no cost: K y is about the fall of the embedding over the step. The
    last few pairs give K on their span (Nyström's approximation W (Y^T W)^+ W^T), one number stands for it elsewhere.
    Only a share of r is taken a step, for the map bends. Along large eigenvalues the share is up to 1 / STEEP times as
    large: what the bend leaves there is cheap to mend, and would pile up if it were mended as slowly as the rest.
    Every step is J^T of something at the point where it is taken, so it changes the image by nothing that the embedding
    does not feel there. What earlier steps changed may since have become idle; e, the part of the displacement x - x_0
    across this step and the one before, is therefore shrunk, by a length in proportion to the step's, less where that
    costs progress. See `docs/explanation/matching.md` for the derivation and for what was tried beside it.

    Args:
        step_size: The share of the modelled minimum-norm Gauss-Newton step that is taken, above 0. Smaller values
            follow the map more closely and change the image less, for more passes.
        memory: Pairs kept. The map bends, so old ones do harm.
        shed: The most that is taken back of the displacement, as a share of the step's length; 0 for nothing.
    """

    step_size: float = 0.17
    memory: int = 5
    shed: float = 1.0

    def init(self, pixels: Tensor) -> None:
        """The state is made at the first step, which knows the size of the embedding."""
        del pixels

    def step(self, state: NystromState | None, point: Linearisation, residual: Tensor) -> tuple[Tensor, NystromState]:
        """One step; see `Solver.step`. An image whose gradient is zero stays where it is."""
        r = in_float64(residual).nan_to_num(0, 0, 0)  # what is not finite has ended; it must not stop the others
        embedding = in_float64(point.embedding).nan_to_num(0, 0, 0)
        state = self._first(point.pixels, r) if state is None else self._learn(state, embedding, r)
        y, known, unknown = _solve(state, r, max(STEEP, self.step_size))
        pulled = point.pullback(y.to(residual))
        squared = in_float64(dot(pulled, pulled)).to(r.device)
        rest = _estimate(state.rest, (squared - known) / unknown)
        gain = (r * y).sum(1)
        length = torch.where(squared > 0, self.step_size * gain / squared, 0.0)

        idle = _across(point.pixels - state.start, pulled, state.pulled)
        size = in_float64(dot(idle, idle)).to(r.device).sqrt()
        share = torch.where(size > 0, state.shed * length * squared.sqrt() / size, 0.0).clamp(0, LARGEST_SHED)
        proposed = point.pixels - _images(length, pulled) * pulled - _images(share, pulled) * idle
        return proposed, NystromState(
            start=state.start,
            cotangents=state.cotangents,
            changes=state.changes,
            rest=rest,
            embedding=embedding,
            cotangent=length[:, None] * y,
            pulled=pulled,
            distance=r.norm(dim=1),
            shed=state.shed,
        )

    def _first(self, pixels: Tensor, r: Tensor) -> NystromState:
        batch, size = r.shape
        history = r.new_zeros(batch, self.memory, size)
        unknown = r.new_full((batch,), torch.nan)
        return NystromState(
            start=pixels,
            cotangents=history,
            changes=history,
            rest=unknown,
            embedding=r.new_zeros(batch, size),
            cotangent=r.new_zeros(batch, size),
            pulled=torch.zeros_like(pixels),
            distance=r.new_full((batch,), torch.inf),
            shed=r.new_full((batch,), self.shed),
        )

    def _learn(self, state: NystromState, embedding: Tensor, r: Tensor) -> NystromState:
        """Add the last step's pair, and shed less if it made no progress."""
        failed = r.norm(dim=1) > PROGRESS * state.distance
        return NystromState(
            start=state.start,
            cotangents=torch.cat([state.cotangents[:, 1:], state.cotangent[:, None]], dim=1),
            changes=torch.cat([state.changes[:, 1:], (state.embedding - embedding)[:, None]], dim=1),
            rest=state.rest,
            embedding=embedding,
            cotangent=state.cotangent,
            pulled=state.pulled,
            distance=state.distance,
            shed=torch.where(failed, state.shed / 2, (state.shed * REGROWTH).clamp_max(self.shed)),
        )


def _solve(state: NystromState, r: Tensor, steep: float) -> tuple[Tensor, Tensor, Tensor]:
    """Y = K^-1 r by the model, and what the model knows of |J^T y|^2 = y . K y.

    Args:
        state: What is known of K.
        r: The residual (B, n).
        steep: Factor of the eigenvalues by which r is divided.

    Returns:
        y (B, n); the part of y . K y inside the known space (B,); and |y|^2 outside it (B,), to divide the rest by.
    """
    lengths = state.cotangents.norm(dim=2, keepdim=True)
    scale = torch.where(lengths > 0, 1 / lengths, 0.0)
    cotangents, changes = state.cotangents * scale, state.changes * scale
    products = cotangents @ changes.mT  # Y^T W, symmetric where f is linear
    values, vectors = torch.linalg.eigh((products + products.mT) / 2)
    sound = values > (SMALLEST * values[:, -1:]).clamp_min(0)
    weights = torch.where(sound, values.clamp_min(1e-300).rsqrt(), 0.0)
    roots = changes.mT @ vectors * weights[:, None]  # K on the known space is roots roots^T
    directions, singular, _ = torch.linalg.svd(roots, full_matrices=False)
    eigenvalues = singular.square()
    seen = eigenvalues > 1e-12 * eigenvalues[:, :1].clamp_min(1e-300)
    smallest = torch.where(seen, eigenvalues, torch.inf).amin(1)
    rest = torch.where(state.rest.isfinite(), state.rest, smallest)
    rest = torch.where(rest.isfinite() & (rest > 0), rest, 1.0)
    parts = torch.where(seen, (directions.mT @ r[:, :, None])[:, :, 0], 0.0)
    solved = parts / torch.maximum(steep * eigenvalues, rest[:, None])
    outside = (r - (directions @ parts[:, :, None])[:, :, 0]) / rest[:, None]
    y = (directions @ solved[:, :, None])[:, :, 0] + outside
    return y, (solved.square() * eigenvalues).sum(1), outside.square().sum(1)


def _across(displacement: Tensor, pulled: Tensor, before: Tensor) -> Tensor:
    """The part of a displacement across two pulled-back cotangents; the second is left out if it is parallel or 0."""
    second = before - _images(_along(before, pulled), pulled) * pulled
    spans = in_float64(dot(second, second)) > PARALLEL * in_float64(dot(before, before))
    idle = displacement - _images(_along(displacement, pulled), pulled) * pulled
    return idle - _images(torch.where(spans, _along(idle, second), 0.0), second) * second


def _along(images: Tensor, direction: Tensor) -> Tensor:
    """How many times a direction is in each image, (B,); 0 for a direction of length 0."""
    squared = in_float64(dot(direction, direction))
    return torch.where(squared > 0, in_float64(dot(images, direction)) / squared, 0.0)


def _estimate(before: Tensor, now: Tensor) -> Tensor:
    """The geometric mean of the old estimate and what this step showed, where that is a number above 0."""
    usable = now.isfinite() & (now > 0)
    return torch.where(usable, torch.where(before.isfinite(), (before * now).sqrt(), now), before)


def _images(values: Tensor, like: Tensor) -> Tensor:
    return per_image(values.to(like))
