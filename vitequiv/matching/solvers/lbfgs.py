"""Limited-memory BFGS on pixels, with a projected backtracking line search an image."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor

from vitequiv.matching.box import free_part
from vitequiv.matching.linearisation import Linearisation
from vitequiv.matching.objective import squared_distance
from vitequiv.matching.solver import dot, per_image
from vitequiv.precision import wide, wide_dtype

ARMIJO = 1e-4
"""Sufficient decrease (Nocedal and Wright, Numerical Optimization, 2nd ed., Eq. 3.4 and its recommended constant)."""
SHORTEST_STEP = 1e-10
"""At this share of the full step the direction is exhausted: start again from the gradient."""


@dataclass(frozen=True)
class LBFGSState:
    """The line search's base point and the curvature pairs.

    Args:
        base: Last accepted points (B, 3, H, W).
        base_loss: Their losses (B,), in wide precision; infinite before the first.
        base_gradient: Their free gradients (B, 3, H, W).
        direction: Search directions from the base (B, 3, H, W).
        length: Step lengths on trial (B,).
        s: Accepted steps (B, memory, m), the oldest first.
        y: The changes of gradient along them (B, memory, m).
        rho: 1 / (s . y) (B, memory), in wide precision; 0 marks an empty place.
    """

    base: Tensor
    base_loss: Tensor
    base_gradient: Tensor
    direction: Tensor
    length: Tensor
    s: Tensor
    y: Tensor
    rho: Tensor


@dataclass(frozen=True)
class LBFGS:
    """L-BFGS (Liu and Nocedal, 1989) by the two-loop recursion; the loop projects each trial point.

    A trial point is accepted if it meets Armijo's condition along the projected step, else the step is halved; so a
    step costs 2 passes, and 2 more for each halving.

    Args:
        step_size: Factor on the first step, which is Polyak's (loss / |g|^2); later steps are tried at full length.
        memory: Curvature pairs kept.
    """

    step_size: float = 1.0
    memory: int = 10

    def init(self, pixels: Tensor) -> LBFGSState:
        """No curvature is known yet."""
        batch, size = len(pixels), pixels[0].numel()
        history = pixels.new_zeros(batch, self.memory, size)
        return LBFGSState(
            base=pixels,
            base_loss=torch.full((batch,), torch.inf, dtype=wide_dtype(pixels.device), device=pixels.device),
            base_gradient=torch.zeros_like(pixels),
            direction=torch.zeros_like(pixels),
            length=torch.ones(batch, dtype=wide_dtype(pixels.device), device=pixels.device),
            s=history,
            y=history.clone(),
            rho=torch.zeros(batch, self.memory, dtype=wide_dtype(pixels.device), device=pixels.device),
        )

    def step(self, state: LBFGSState, point: Linearisation, residual: Tensor) -> tuple[Tensor, LBFGSState]:
        """Judge the trial points, then propose the next; see `Solver.step`."""
        loss = squared_distance(residual)
        gradient = free_part(point.pullback(residual), point.pixels)
        moved = point.pixels - state.base
        first = state.base_loss.isinf()
        accepted = first | (loss <= state.base_loss + ARMIJO * dot(state.base_gradient, moved).clamp_max(0))
        state = _remember(state, moved, gradient - state.base_gradient, accepted & ~first)
        # Backtracked to nothing: forget the curvature, which is what made the direction bad.
        exhausted = ~accepted & (state.length < SHORTEST_STEP)
        rho = torch.where(exhausted[:, None], 0.0, state.rho)

        mask = per_image(accepted)
        state = dataclasses.replace(
            state,
            base=torch.where(mask, point.pixels, state.base),
            base_loss=torch.where(accepted, loss, state.base_loss),
            base_gradient=torch.where(mask, gradient, state.base_gradient),
            rho=rho,
        )
        renewed = accepted | exhausted
        direction = torch.where(per_image(renewed), self._direction(state), state.direction)
        length = torch.where(renewed, 1.0, state.length / 2)
        state = dataclasses.replace(state, direction=direction, length=length)
        return state.base + per_image(length).to(direction.dtype) * direction, state

    def _direction(self, state: LBFGSState) -> Tensor:
        """-H g by the two-loop recursion (Nocedal and Wright, Algorithm 7.4); empty places of the memory do nothing."""
        q = state.base_gradient.flatten(1)
        alphas = []
        for i in reversed(range(self.memory)):
            alpha = state.rho[:, i] * _rows(state.s[:, i], q)
            alphas.append(alpha)
            q = q - alpha[:, None].to(q.dtype) * state.y[:, i]
        newest = state.rho[:, -1]
        squared = _rows(state.y[:, -1], state.y[:, -1])
        gradient_squared = dot(state.base_gradient, state.base_gradient)
        polyak = torch.where(gradient_squared > 0, self.step_size * state.base_loss / gradient_squared, 0.0)
        known = newest * squared
        gamma = torch.where(known > 0, 1 / known, polyak)
        q = gamma[:, None].to(q.dtype) * q
        for i, alpha in zip(range(self.memory), reversed(alphas), strict=True):
            beta = state.rho[:, i] * _rows(state.y[:, i], q)
            q = q + (alpha - beta)[:, None].to(q.dtype) * state.s[:, i]
        direction = -free_part(q.view_as(state.base), state.base)
        descends = dot(direction, state.base_gradient) < 0
        steepest = -per_image(polyak).to(q.dtype) * state.base_gradient
        return torch.where(per_image(descends), direction, steepest)


def _remember(state: LBFGSState, s: Tensor, y: Tensor, accepted: Tensor) -> LBFGSState:
    """Push the newest pair where the step was accepted and its curvature is positive, as BFGS needs."""
    curvature = dot(s, y)
    push = accepted & (curvature > 1e-12 * dot(s, s).sqrt() * dot(y, y).sqrt())

    def pushed(history: Tensor, value: Tensor) -> Tensor:
        shifted = torch.cat([history[:, 1:], value[:, None]], dim=1)
        return torch.where(push.view(-1, *[1] * (history.ndim - 1)), shifted, history)

    rho = torch.where(push, 1 / curvature, 0.0)
    return dataclasses.replace(
        state, s=pushed(state.s, s.flatten(1)), y=pushed(state.y, y.flatten(1)), rho=pushed(state.rho, rho)
    )


def _rows(a: Tensor, b: Tensor) -> Tensor:
    return (wide(a) * wide(b)).sum(1)
