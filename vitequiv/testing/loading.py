"""Checks of the loaded network: frozen, in eval mode, the same at each load, in every precision and on every device."""

from __future__ import annotations

import sys

import torch

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.probe import BATCH_TOLERANCE
from vitequiv.testing.subject import CheckError, InapplicableError, Subject

_ACROSS_DTYPES = {torch.float32: 0.0, torch.float64: 1e-3, torch.bfloat16: 0.1}
"""Largest relative difference from the float32 embedding. float32 against float64 is rounding, as in a batch (6e-7 at
most in 32 small models); bfloat16 has 8 bits (0.011 at most there, and deep networks lose more)."""

_unpickled: list[str] | None = None


def frozen(subject: Subject) -> None:
    """No parameter wants a gradient, and a backward pass leaves none on any.

    Raises:
        CheckError: If one does.
    """
    for module in subject.encoder.tower.modules():
        wanting = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
        if wanting:
            raise CheckError(
                f"{len(wanting)} parameters have requires_grad, among them {wanting[0]}",
                "load through load_encoder, which freezes; do not switch gradients on again in forward()",
            )


def evaluation(subject: Subject) -> None:
    """Every submodule is in eval mode, before and after a forward pass.

    Raises:
        CheckError: If one is in training mode.
    """
    subject.embed(subject.noise(1))
    for module in subject.encoder.tower.modules():
        training = [f"{name or 'the module'} ({type(part).__name__})" for name, part in _training(module)]
        if training:
            raise CheckError(
                f"{len(training)} submodules are in training mode, among them {training[0]}",
                "do not override train() or eval(), and do not switch modes in forward()",
            )


def _training(module: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    return [(name, part) for name, part in module.named_modules() if part.training]


def reloading(subject: Subject) -> None:
    """Loading twice gives the same digest and the same bits, and unpickles no object.

    Raises:
        CheckError: If the loads differ, or a pickle was opened that could run code.
    """
    objects, first, second = _watch_two_loads(subject)
    if objects:
        raise CheckError(
            f"loading unpickled {len(objects)} objects, among them {objects[0]}",
            "read weights from safetensors",
        )
    digests = {encoder.weights_sha256 for encoder in (subject.encoder, first, second)}
    if len(digests) > 1:
        raise CheckError(
            f"{len(digests)} different digests of the weights from three loads",
            "no weight may be random at loading: take each from the checkpoint, or from a seeded generator of its own",
        )
    pixels = subject.noise(1)
    expected = subject.embed(pixels)
    for encoder in (first, second):
        with torch.no_grad():
            found = encoder.embed(pixels)
        if not torch.equal(found, expected):
            worst = float((found - expected).abs().max())
            raise CheckError(
                f"two loads of the same weights gave different embeddings (by up to {worst:.2g})",
                "register every tensor the network uses as a parameter or buffer, and draw none at random",
            )


def _watch_two_loads(subject: Subject) -> tuple[list[str], Encoder, Encoder]:
    """Load twice while Python reports each class or function a pickle asks for (torch's restricted reader none)."""
    global _unpickled  # an audit hook cannot be removed, so there is one for the process
    if _unpickled is None:
        sys.addaudithook(_listen)
    objects: list[str] = []
    _unpickled = objects
    try:
        return objects, subject.again(), subject.again()
    finally:
        _unpickled = []


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == "pickle.find_class" and _unpickled is not None:
        _unpickled.append(".".join(map(str, arguments)))


def dtypes(subject: Subject) -> None:
    """float32, float64 and bfloat16 load, return their own dtype and embed alike.

    Raises:
        CheckError: If one does not.
    """
    pixels = subject.noise(1)
    expected = subject.again(torch.float32).embed(pixels)
    for dtype, tolerance in _ACROSS_DTYPES.items():
        if dtype == torch.float64 and subject.encoder.device.type == "mps":
            continue  # which has none
        encoder = subject.again(dtype)
        parameters = {part.dtype for part in encoder.tower.module.parameters() if part.is_floating_point()}
        wanted = torch.float64 if dtype == torch.float64 else torch.float32
        found = encoder.embed(pixels)
        if parameters - {wanted} or found.dtype != wanted:
            kinds = ", ".join(map(str, parameters)) or "no"
            raise CheckError(
                f"loaded in {dtype} it has {kinds} parameters and returns {found.dtype}, not {wanted}",
                "return the tower in float32, cast nothing by hand and register tensors as parameters or buffers",
            )
        subject.agree(
            found,
            expected,
            f"embeddings in {dtype} and float32",
            "create tensors in the dtype of the input (x.new_zeros, torch.ones_like)",
            tolerance,
        )


def devices(subject: Subject) -> None:
    """The encoder gives the same embeddings on every accelerator of this machine as on the CPU.

    Raises:
        CheckError: If it does not.
        InapplicableError: If there is none.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    accelerators = [name for name, available in there.items() if available]
    if not accelerators:
        raise InapplicableError("this machine has neither cuda nor mps")
    fix = "create tensors on the device of the input, and register the network's own as parameters or buffers"
    pixels = subject.noise(1).float().cpu()
    expected = subject.again(torch.float32, "cpu").embed(pixels)
    for name in accelerators:
        found = subject.again(torch.float32, name).embed(pixels.to(name))
        if found.device.type != name:
            raise CheckError(f"on {name} the embedding is on {found.device}", fix)
        subject.agree(found, expected, f"embeddings on {name} and the CPU", fix, BATCH_TOLERANCE[torch.float32])
