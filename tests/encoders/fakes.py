"""Families made on the spot, for the tests of loading and probing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from vitequiv.encoders.base import VisionTower
from vitequiv.encoders.families import EncoderFamily, Readout
from vitequiv.images.preprocessing import Filter, Preprocessing, Resize, ResizeMode
from vitequiv.plugins.kinds import ENCODER
from vitequiv.plugins.loading import Owner
from vitequiv.plugins.registry import Registered, Registry

SQUARE = Preprocessing(Resize((8, 8), ResizeMode.SQUASH, Filter.BILINEAR), None, (0.5,) * 3, (0.5,) * 3)


class Map(nn.Module):
    """A function of (B, 3, 8, 8) as a module."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> object:
        return self.function(x)


def registry(load: Callable[[str, Readout], object]) -> Registry[EncoderFamily]:
    """A registry whose one family, `fake`, is loaded by `load`."""
    family = EncoderFamily("fake", "a fake", load, None, (Readout.CLS, Readout.MEAN), "nowhere")
    return Registry(ENCODER, {"fake": Registered(family, Owner("fake", "tests", None))})


def registry_of(function: Callable[[Tensor], object]) -> Registry[EncoderFamily]:
    """A registry whose one family, `fake`, embeds by `function`."""
    return registry(lambda checkpoint, readout: VisionTower(Map(function), SQUARE))


def good(x: Tensor) -> Tensor:
    """A well-behaved embedding."""
    return torch.tanh(x).mean((2, 3))
