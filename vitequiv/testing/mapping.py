"""Checks of the map from pixels to embeddings: the same for the same pixels, each row from its own image."""

from __future__ import annotations

import torch

from vitequiv.encoders.weights import digest
from vitequiv.testing.subject import CheckError, Subject

_BATCH = 3


def shape(subject: Subject) -> None:
    """One vector of `embedding_dim` numbers for each image, in the encoder's own dtype, for any batch size.

    Raises:
        CheckError: If the shape or dtype is another.
    """
    encoder = subject.encoder
    for count in (1, _BATCH):
        found = subject.embed(subject.noise(count))
        if tuple(found.shape) != (count, encoder.embedding_dim) or found.dtype != encoder.pixel_dtype:
            raise CheckError(
                f"{count} images gave {found.dtype} of shape {tuple(found.shape)}, "
                f"not {encoder.pixel_dtype} of shape ({count}, {encoder.embedding_dim})",
                "the module must return (B, n) for normalised images (B, 3, H, W): flatten or pool the rest",
            )


def finite(subject: Subject) -> None:
    """No NaN or infinity on noise, black, white and grey, and not one embedding for all of them.

    Raises:
        CheckError: If an embedding is not finite, or the embedding ignores the image.
    """
    noise = subject.noise(1)
    plain = [torch.full_like(noise, level) for level in (0.0, 0.5, 1.0)]
    images = dict(zip(("noise", "black", "grey", "white"), [noise, *plain], strict=True))
    found = {name: subject.embed(pixels) for name, pixels in images.items()}
    for name, embedding in found.items():
        bad = int((~embedding.isfinite()).sum())
        if bad:
            raise CheckError(
                f"{bad} of {embedding.numel()} numbers are NaN or infinite on a {name} image",
                "look for a division or root of zero (a constant image has no variance) and add an epsilon",
            )
    if all(torch.equal(embedding, found["noise"]) for embedding in found.values()):
        raise CheckError(
            "noise, black, grey and white have the same embedding bit for bit",
            "the module must use its argument; check the readout",
        )


def determinism(subject: Subject) -> None:
    """The same pixels give the same bits, whatever was embedded before and whatever the random generator's state.

    Raises:
        CheckError: If two forwards differ.
    """
    pixels, others = subject.noise(1), subject.noise(2, seed=1)
    first = subject.embed(pixels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        reseeded = subject.embed(pixels)
    subject.embed(others)
    for found, when in ((reseeded, "with another random seed"), (subject.embed(pixels), "after other images")):
        if not torch.equal(found, first):
            worst = float((found - first).abs().max())
            raise CheckError(
                f"the same pixels {when} gave another embedding (largest difference {worst:.2g})",
                "turn off dropout and masking, also in networks that are no registered submodules, and keep no state "
                "between calls",
            )


def modes(subject: Subject) -> None:
    """The same embedding with a graph, without one, and in inference mode, and a graph still works after that.

    Raises:
        CheckError: If they differ.
    """
    pixels = subject.noise(1)
    with torch.inference_mode():
        inference = subject.encoder.embed(pixels).clone()
    without = subject.embed(pixels)
    graph = subject.encoder.embed(pixels.clone().requires_grad_()).detach()
    fix = "do not ask torch.is_grad_enabled(), and switch off kernels that only run without a graph"
    subject.agree(without, graph, "embeddings without and with a graph", fix)
    subject.agree(inference, graph, "embeddings in inference mode and with a graph", fix)


def batching(subject: Subject) -> None:
    """A batch gives its images' own embeddings, in their order.

    Raises:
        CheckError: If an embedding depends on its batch or its place in it.
    """
    pixels = subject.noise(_BATCH)
    alone = torch.cat([subject.embed(image[None]) for image in pixels])
    fix = "no statistics over the batch: batch norm in eval mode, no mean over dimension 0"
    subject.agree(subject.embed(pixels), alone, "embeddings in a batch and one by one", fix)
    subject.agree(subject.embed(pixels.flip(0)).flip(0), alone, "embeddings in a reversed batch and one by one", fix)


def crosstalk(subject: Subject) -> None:
    """The derivative of one image's embedding by its neighbour's pixels is zero.

    Raises:
        CheckError: If it is not.
    """
    pixels = subject.noise(2).requires_grad_()
    embedding = subject.encoder.embed(pixels)
    if not embedding.requires_grad:
        raise CheckError(
            "the embedding is not connected to the pixels by a graph",
            "compute it from the pixels by differentiable torch operations: no detach(), no numpy, no no_grad()",
        )
    (gradient,) = torch.autograd.grad(embedding[0].sum(), pixels, allow_unused=True, materialize_grads=True)
    own, other = (float(part.norm()) for part in gradient)
    if not other <= 1e-6 * own:  # it is exactly zero where rows are computed apart; NaN fails too
        raise CheckError(
            f"the gradient of the first embedding has norm {other:.2g} on the second image ({own:.2g} on its own)",
            "each row of the output may use its own image alone: no statistics or attention across dimension 0",
        )


def weights(subject: Subject) -> None:
    """Running the encoder changes no weight, and `weights_sha256` is the digest of weights that are there.

    Raises:
        CheckError: If the state dict is empty or changed.
    """
    encoder = subject.encoder
    module = encoder.tower.module
    if not module.state_dict():
        raise CheckError(
            "the module's state dict is empty, so weights_sha256 tells no two versions of it apart",
            "register fixed tensors with register_buffer, and networks as submodules rather than in a list or closure",
        )
    before = digest(module)
    pixels = subject.noise(2).requires_grad_()
    embedding = encoder.embed(pixels)
    if embedding.requires_grad:
        torch.autograd.backward(embedding, torch.ones_like(embedding))
    after = digest(module)
    if after != before:
        raise CheckError(
            f"a forward and a backward pass changed the weights (digest {before[:8]} to {after[:8]})",
            "eval mode stops running statistics; keep no counters or caches in buffers",
        )
    if encoder.dtype != torch.float64 and before != encoder.weights_sha256:
        raise CheckError(
            f"the weights' digest is {before[:8]}, not the {encoder.weights_sha256[:8]} noted at loading",
            "change nothing after the tower was returned",
        )
