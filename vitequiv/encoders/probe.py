"""One look at each encoder before it is trusted: is it deterministic, per image and differentiable?"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.errors import ModelError

BATCH_TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-9, torch.bfloat16: 5e-2}
"""Largest relative difference of an image's embedding alone and in a batch: other summation orders, no more."""


def probe(encoder: Encoder) -> Encoder:
    """Check an encoder and fill in its embedding dimension.

    Args:
        encoder: A loaded encoder; its `embedding_dim` is not looked at.

    Returns:
        The encoder with `embedding_dim` as measured. Cost: 5 forwards and 1 vjp.

    Raises:
        ModelError: If two forwards differ, an image's embedding depends on its batch, or an embedding or gradient is
            not finite, or the gradient is zero; the failed check is named.
    """
    height, width = encoder.input_size
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand((2, 3, height, width), generator=generator, dtype=encoder.pixel_dtype).to(encoder.device)
    first = pixels[:1].clone().requires_grad_()
    try:
        with torch.enable_grad():  # whatever the caller has switched off
            embedding = encoder.embed(first)
            again = encoder.embed(first).detach()  # as the first time: without a gradient torch may take another kernel
        with torch.no_grad():
            batched, second = encoder.embed(pixels), encoder.embed(pixels[1:])
        shape = embedding.ndim == 2 and embedding.shape[0] == 1
        _check(encoder, "shape", shape, "does not return one vector for each image")
        gradient = input_gradient(embedding, first)
    except Exception as error:  # whatever a plugin's network raises is that model's fault
        raise ModelError(
            f"The model {encoder.spec} cannot be run on its own input size: {_first_line(error)}"
        ) from error
    _check(encoder, "finite embedding", bool(batched.isfinite().all()), "gave NaN or infinity on plain noise")
    _check(encoder, "determinism", torch.equal(embedding.detach(), again), "gave two results for one image")
    alone = torch.cat([again, second])
    tolerance = BATCH_TOLERANCE[encoder.dtype]
    _check(encoder, "batching", relative(batched, alone) < tolerance, "mixes the images of a batch")
    usable = bool(gradient.isfinite().all()) and bool(gradient.any())
    _check(encoder, "gradient", usable, "has no finite, nonzero gradient with respect to the pixels")
    return replace(encoder, embedding_dim=int(embedding.shape[1]))


def input_gradient(embedding: Tensor, pixels: Tensor) -> Tensor:
    """Pull a fixed random cotangent back to the pixels.

    Not the embedding itself: its length is constant where embeddings are normalised, and the gradient of that is noise.

    Args:
        embedding: (B, n).
        pixels: (B, 3, H, W), what it was computed from, wanting a gradient.

    Returns:
        (B, 3, H, W); zeros if the embedding does not depend on the pixels differentiably. Cost: a vjp an image.
    """
    if not embedding.requires_grad:
        return torch.zeros_like(pixels)
    generator = torch.Generator().manual_seed(1)
    cotangent = torch.randn(embedding.shape, generator=generator, dtype=embedding.dtype).to(embedding.device)
    (gradient,) = torch.autograd.grad(embedding, pixels, cotangent, allow_unused=True, materialize_grads=True)
    return gradient


def _check(encoder: Encoder, name: str, passed: bool, fault: str) -> None:
    if not passed:
        raise ModelError(
            f"The model {encoder.spec} failed the load-time check of {name}: it {fault}, so it cannot be measured. "
            "If it is yours, vitequiv.testing.check_encoder says more."
        )


def relative(a: Tensor, b: Tensor) -> float:
    """Measure how far apart two embeddings are.

    Args:
        a: One.
        b: The other, of the same shape.

    Returns:
        |a - b| / |b|.
    """
    return float((a - b).norm() / b.norm().clamp_min(torch.finfo(b.dtype).tiny))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
