"""The learning rate and the optimisers that the training scripts share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import nn

WARM_UP_STEPS = 200
WEIGHT_DECAY = 0.05
BETAS = (0.9, 0.98)
MAX_GRADIENT_NORM = 1.0

_HEADS = ("classifier", "decoder_pred")


def learning_rate(step: int, steps: int) -> float:
    """Warm up linearly, then follow half a cosine to 0.

    Args:
        step: Number of the step, from 0.
        steps: Steps of the run.

    Returns:
        The factor on the peak rate, in (0, 1]; 0 after the last step.
    """
    warm_up = min(WARM_UP_STEPS, max(steps // 10, 1))
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * (step - warm_up) / max(steps - warm_up, 1)))


def adamw(parameters: Iterable[nn.Parameter], peak: float) -> torch.optim.AdamW:
    """Make AdamW; only matrices and kernels decay.

    Args:
        parameters: What to train.
        peak: The peak learning rate.

    Returns:
        The optimiser.
    """
    parameters = list(parameters)
    groups = [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=peak, betas=BETAS)


def muon_and_adamw(model: nn.Module, muon_peak: float, adamw_peak: float) -> tuple[torch.optim.Optimizer, ...]:
    """Make Muon for the matrices between hidden features, and AdamW for all else.

    Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon) follows the momentum with its singular values
    made equal. Embeddings, heads, tables, biases and norms are not maps between hidden features: it is not meant for
    them.

    Args:
        model: What to train. Its hidden matrices are the weights of its linear layers but those that end in an output:
            classifiers, and ViTMAE's `decoder_pred`.
        muon_peak: Muon's peak learning rate.
        adamw_peak: AdamW's peak learning rate.

    Returns:
        The two optimisers.
    """
    hidden = [
        module.weight
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not any(head in name for head in _HEADS)
    ]
    chosen = {id(parameter) for parameter in hidden}
    others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    return torch.optim.Muon(hidden, lr=muon_peak, weight_decay=WEIGHT_DECAY), adamw(others, adamw_peak)


class Descent:
    """Optimisers that move together: clipped gradients, one schedule.

    Args:
        parameters: All that is trained, whose gradients are clipped as one vector.
        optimizers: The optimisers.
        factor: The factor on the peak learning rates by number of the step.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        optimizers: Iterable[torch.optim.Optimizer],
        factor: Callable[[int], float],
    ) -> None:
        self._parameters = list(parameters)
        self._optimizers = list(optimizers)
        self._schedules = [torch.optim.lr_scheduler.LambdaLR(optimizer, factor) for optimizer in self._optimizers]

    def step(self, loss: torch.Tensor) -> None:
        """Take one step down.

        Args:
            loss: A scalar with its graph.
        """
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, MAX_GRADIENT_NORM)
        for optimizer, schedule in zip(self._optimizers, self._schedules, strict=True):
            optimizer.step()
            schedule.step()
