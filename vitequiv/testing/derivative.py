"""The gradient against finite differences."""

from __future__ import annotations

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.probe import input_gradient
from vitequiv.testing.subject import CheckError, InapplicableError, Subject

_DIRECTIONS = 3

_STEPS = {torch.float64: 1e-8, torch.float32: 1e-2}
"""Of the central difference, in units of pixels. In float64 so small that a network of ReLUs, 50,000 kinks, is carried
across none; in float32 as large as its rounding asks for."""

_TOLERANCE = {torch.float64: 1e-6, torch.float32: 2e-2}
"""Relative to the derivative's typical size, |g| |d| / sqrt(N). Beside it stands the rounding of the two values, and in
float32 the truncation, judged by doubling the step."""

_ROUNDINGS = 8
"""Of eps |f|: the length of the sums inside the network."""

_FIX = "compute the embedding from the pixels by differentiable torch operations: no detach(), no numpy, no no_grad(), "
_FIX += "no rounding, and no float32 inside a float64 network"


def gradient(subject: Subject) -> None:
    """The gradient by pixels is finite, not zero, and agrees with central differences along random directions.

    In float64, for which the encoder is loaded again; in its own precision where there is no float64.

    Raises:
        CheckError: If it is missing, not finite, zero or wrong.
        InapplicableError: If this precision is too coarse to tell.
    """
    _usable(subject.encoder, subject.noise(1))
    encoder = subject.encoder
    if encoder.device.type != "mps" and encoder.dtype != torch.float64:
        encoder = subject.again(torch.float64)
    if encoder.dtype == torch.bfloat16:
        raise InapplicableError("bfloat16 is too coarse for finite differences, and this device has no float64")
    _compare(encoder, subject.noise(1).to(encoder.pixel_dtype))


def _usable(encoder: Encoder, pixels: Tensor) -> None:
    pixels = pixels.clone().requires_grad_()
    embedding = encoder.embed(pixels)
    if not embedding.requires_grad:
        raise CheckError("the embedding is not connected to the pixels by a graph", _FIX)
    found = input_gradient(embedding, pixels)
    if not bool(found.isfinite().all()):
        raise CheckError(
            f"{int((~found.isfinite()).sum())} of {found.numel()} entries of the gradient are NaN or infinite",
            "look for a root or division at zero, where the slope is infinite",
        )
    if not bool(found.any()):
        raise CheckError("the gradient is zero in every pixel", _FIX)


def _compare(encoder: Encoder, pixels: Tensor) -> None:
    step, tolerance = _STEPS[encoder.pixel_dtype], _TOLERANCE[encoder.pixel_dtype]
    generator = torch.Generator().manual_seed(1)

    def draw(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64).to(pixels)

    cotangent = draw(encoder.embedding_dim)
    pixels = pixels.clone().requires_grad_()
    embedding = encoder.embed(pixels)
    (found,) = torch.autograd.grad(embedding[0] @ cotangent, pixels)
    rounding = _ROUNDINGS * torch.finfo(pixels.dtype).eps / step * float(embedding.detach().norm() * cotangent.norm())
    for _ in range(_DIRECTIONS):
        direction = draw(*pixels.shape)
        by_gradient = float((found * direction).sum())
        by_difference = _central(encoder, pixels.detach(), direction, cotangent, step)
        typical = float(found.norm() * direction.norm()) / direction.numel() ** 0.5
        truncation = 0.0
        if encoder.pixel_dtype == torch.float32:
            truncation = abs(_central(encoder, pixels.detach(), direction, cotangent, 2 * step) - by_difference)
        limit = tolerance * typical + rounding + truncation
        if limit > typical / 2:
            raise InapplicableError(f"in {encoder.pixel_dtype} the rounding of this encoder hides its derivative")
        if not abs(by_gradient - by_difference) <= limit:
            raise CheckError(
                f"along a random direction the gradient gives {by_gradient:.9g}, a central difference "
                f"{by_difference:.9g} (at most {limit:.2g} apart in {encoder.pixel_dtype})",
                _FIX,
            )


def _central(encoder: Encoder, pixels: Tensor, direction: Tensor, cotangent: Tensor, step: float) -> float:
    with torch.no_grad():
        ahead, behind = (encoder.embed(pixels + sign * step * direction)[0] @ cotangent for sign in (1, -1))
    return float(ahead - behind) / (2 * step)
