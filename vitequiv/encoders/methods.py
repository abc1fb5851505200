"""A method of a network as a module of its own."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Method(nn.Module):
    """A network seen through one of its methods; the parameters are the network's own, shared.

    Args:
        model: The network.
        name: The method, which takes one tensor and returns one.
        options: Further arguments of the method.
    """

    def __init__(self, model: nn.Module, name: str, **options: Any) -> None:
        super().__init__()
        self.model = model
        self.name = name
        self.options = options

    def forward(self, inputs: Tensor) -> Tensor:
        """Call the method.

        Args:
            inputs: Its tensor.

        Returns:
            What it returns.
        """
        output: Tensor = getattr(self.model, self.name)(inputs, **self.options)
        return output
