"""How often a trained model names a held-out scene: by its own head, or by a linear probe of its embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from vitequiv.tiny.colours import COLOURS
from vitequiv.tiny.scenes import Split
from vitequiv.tiny.shapes import SHAPES
from vitequiv.tiny.zoo.architectures import ARCHITECTURES
from vitequiv.tiny.zoo.bank import Bank, as_images, render_bank

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from torch import Tensor

HELD_OUT_SEED = 0
HELD_OUT_SCENES = 4096

PROBE_SCENES = 20_480
_QUICK_PROBE_SCENES = 4096
_CHUNK = 256
_CLASSES = len(SHAPES) * len(COLOURS)


@dataclass(frozen=True)
class Accuracy:
    """Accuracies over held-out scenes; chance is 1/64, 1/8 and 1/8.

    Attributes:
        by: What named them: "head" or "linear probe".
        top1: Share of scenes named rightly.
        shape: Share with the right shape.
        colour: Share with the right colour.
        scenes: Number of scenes.
        probe_scenes: Training scenes the linear probe was fitted on; 0 for a head.
    """

    by: str
    top1: float
    shape: float
    colour: float
    scenes: int
    probe_scenes: int


def examine(
    family: str, model: Any, bank: Bank, count: int = HELD_OUT_SCENES, seed: int = HELD_OUT_SEED, quick: bool = False
) -> Accuracy:
    """Classify held-out scenes.

    Args:
        family: Name of the family.
        model: The model in eval mode.
        bank: Training scenes, for a probe to be fitted on.
        count: Number of held-out scenes; one forward each.
        seed: Seed of the held-out scenes.
        quick: Whether to fit a probe on fewer scenes.

    Returns:
        The accuracies.
    """
    held_out = render_bank(Split.HELD_OUT, seed, count)
    normalise = ARCHITECTURES[family].normalise
    if hasattr(model, "classifier") or hasattr(model, "cls_classifier"):
        logits = over(held_out.images, lambda images: model(pixel_values=normalise(images)).logits)
        return _compare("head", logits.argmax(dim=1).numpy(), held_out, 0)
    embed = class_token(model)
    fitted = min(_QUICK_PROBE_SCENES if quick else PROBE_SCENES, len(bank.labels))
    probe = fit_probe(
        over(bank.images[:fitted], lambda images: embed(normalise(images))), torch.from_numpy(bank.labels[:fitted])
    )
    named = probe(over(held_out.images, lambda images: embed(normalise(images)))).argmax(dim=1)
    return _compare("linear probe", named.numpy(), held_out, fitted)


def over(images: npt.NDArray[np.uint8], function: Callable[[Tensor], Tensor]) -> Tensor:
    """Apply a function to many images, a few at a time and without gradients.

    Args:
        images: (N, H, W, 3) uint8.
        function: (B, 3, H, W) uint8 to (B, ...).

    Returns:
        (N, ...).
    """
    with torch.no_grad():
        return torch.cat([
            function(as_images(images[start : start + _CHUNK])) for start in range(0, len(images), _CHUNK)
        ])


def class_token(model: Any) -> Callable[[Tensor], Tensor]:
    """Find the default readout of ViTMAE and ViTMSN: the class token after the last layer norm, nothing masked.

    Args:
        model: `ViTMAEForPreTraining` or `ViTMSNModel`.

    Returns:
        The function from normalised pixels to (B, n).
    """
    if not hasattr(model, "decoder"):
        return lambda pixels: model(pixel_values=pixels).last_hidden_state[:, 0]

    def unmasked(pixels: Tensor) -> Tensor:
        config = model.vit.embeddings.config
        ratio, config.mask_ratio = config.mask_ratio, 0.0
        patches = model.vit.embeddings.patch_embeddings.num_patches
        noise = torch.arange(patches, dtype=torch.float32).expand(len(pixels), -1)
        tokens: Tensor = model.vit(pixel_values=pixels, noise=noise).last_hidden_state
        config.mask_ratio = ratio
        return tokens[:, 0]

    return unmasked


def fit_probe(features: Tensor, labels: Tensor, decay: float = 1e-4) -> Callable[[Tensor], Tensor]:
    """Fit multinomial logistic regression on standardised features by L-BFGS, from zeros.

    Args:
        features: (N, n) frozen embeddings.
        labels: (N,) classes.
        decay: Weight of half the squared norm of the map.

    Returns:
        The function from features (B, n) to logits (B, 64).
    """
    centre, scale = features.mean(dim=0), features.std(dim=0) + 1e-6
    standard = (features - centre) / scale
    weight = torch.zeros(features.shape[1], _CLASSES, requires_grad=True)
    bias = torch.zeros(_CLASSES, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=200, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> float:
        optimizer.zero_grad()
        value = F.cross_entropy(standard @ weight + bias, labels) + decay / 2 * weight.square().sum()
        torch.autograd.backward(value)
        return value.item()

    # torch declares L-BFGS's step without types.
    optimizer.step(loss)  # type: ignore[no-untyped-call]
    fitted = weight.detach(), bias.detach()
    return lambda embeddings: (embeddings - centre) / scale @ fitted[0] + fitted[1]


def _compare(by: str, named: npt.NDArray[np.int64], bank: Bank, probe_scenes: int) -> Accuracy:
    shapes, colours = np.divmod(named, len(COLOURS))
    true_shapes, true_colours = np.divmod(bank.labels, len(COLOURS))
    return Accuracy(
        by=by,
        top1=float((named == bank.labels).mean()),
        shape=float((shapes == true_shapes).mean()),
        colour=float((colours == true_colours).mean()),
        scenes=len(bank.labels),
        probe_scenes=probe_scenes,
    )
