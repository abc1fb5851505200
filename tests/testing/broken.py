"""Encoders with one fault each, made past `load_encoder`, which would refuse some of them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitequiv.encoders.base import ClassificationHead, Encoder, TextTower, VisionTower
from vitequiv.encoders.families import Readout
from vitequiv.encoders.weights import digest
from vitequiv.images.preprocessing import Filter, Preprocessing, Resize, ResizeMode

SQUARE = Preprocessing(Resize((8, 8), ResizeMode.SQUASH, Filter.BILINEAR), None, (0.5,) * 3, (0.5,) * 3)
WIDTH = 6


class Net(nn.Module):
    """A sound small network; faults are put in as functions of its input or output."""

    def __init__(
        self,
        before: Callable[[Tensor], Tensor] | None = None,
        after: Callable[[Tensor], Tensor] | None = None,
        layer: nn.Module | None = None,
        seed: int | None = 0,
    ) -> None:
        super().__init__()
        if seed is not None:
            torch.manual_seed(seed)
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.layer = layer or nn.Identity()
        self.out = nn.Linear(36, WIDTH)
        self.before, self.after = before, after

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x) if self.before else x
        x = self.out(self.layer(torch.tanh(self.stem(x))).flatten(1))
        return self.after(x) if self.after else x


class Stubborn(nn.BatchNorm2d):
    """Batch norm that will not leave training mode."""

    def train(self, mode: bool = True) -> Stubborn:
        return super().train(True)


class Counter:
    """State between calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * (1 + 0.01 * self.calls)


class Hidden(nn.Module):
    """A network that torch does not know of."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = [Net(seed=None)]

    def forward(self, x: Tensor) -> Tensor:
        part = self.parts[0].to(x.dtype)
        return part(x)


class Levels(Encoder):
    """Pixels in 0..255."""

    def preprocess(self, image: Any) -> Tensor:
        return super().preprocess(image) * 255


class Words(nn.Module):
    """Characters to embeddings."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(128, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens).mean(1)


def tokenize(texts: Any) -> Tensor:
    return torch.tensor([[ord(character) for character in text.ljust(40)] for text in texts])


@dataclass(frozen=True)
class Fault:
    """A way to make an encoder.

    Args:
        module: Makes the network.
        names: The checks that must fail, no more and no fewer.
        preprocessing: Its preprocessing.
        parts: Head and text.
        kind: The class of the encoder.
        ready: Whether it is put in eval mode, and whether it is frozen.
        changes: Fields of the encoder to set.
    """

    module: Callable[[], nn.Module]
    names: set[str]
    preprocessing: Preprocessing = SQUARE
    parts: Callable[[], dict[str, Any]] = dict
    kind: type[Encoder] = Encoder
    ready: tuple[bool, bool] = (True, True)
    changes: dict[str, Any] = field(default_factory=dict)

    def load(self, *, device: Any = "cpu", dtype: torch.dtype = torch.float32) -> Encoder:
        module = self.module()
        tower = VisionTower(module, self.preprocessing, **self.parts())
        for part in tower.modules():
            part.train(not self.ready[0]).requires_grad_(not self.ready[1])
        sha = digest(module)
        for part in tower.modules():
            part.to(device, torch.float32 if dtype == torch.bfloat16 else dtype)
        encoder = self.kind(
            spec="fake:x",
            family="fake",
            checkpoint="x",
            readout=Readout.CLS,
            tower=tower,
            embedding_dim=WIDTH,
            device=torch.device(device),
            dtype=dtype,
            weights_sha256=sha,
        )
        return replace(encoder, **self.changes)


def dropped(x: Tensor) -> Tensor:
    return F.dropout(x, 0.5, training=True)


class Dropped(nn.Module):
    """Dropout as a module."""

    def forward(self, x: Tensor) -> Tensor:
        return dropped(x)


def unpickling() -> nn.Module:
    pickle.load(io.BytesIO(pickle.dumps(Counter())))
    return Net()


def head(labels: int) -> Callable[[], dict[str, Any]]:
    return lambda: {"head": ClassificationHead(Net(), tuple("abcdefgh"[:labels]))}


def text(module: Callable[[], nn.Module] = Words, scale: float | None = 10.0) -> Callable[[], dict[str, Any]]:
    return lambda: {"text": TextTower(module(), tokenize, scale)}


SOUND = Fault(Net, set(), parts=lambda: {**head(WIDTH)(), **text()()})

UNSTABLE = {"determinism", "modes", "batching", "gradient", "reload"}
"""What sees an embedding that changes from call to call. (The networks are seeded as they are made, so that the first
calls after each load draw the same numbers, and `dtypes` sees nothing.)"""

FAULTS: dict[str, Fault] = {
    "dropout left on": Fault(lambda: Net(before=dropped), UNSTABLE),
    "eval not called": Fault(lambda: Net(layer=nn.Dropout(0.5)), {*UNSTABLE, "eval"}, ready=(False, True)),
    "eval not called, to no effect": Fault(Net, {"eval"}, ready=(False, True)),
    "batch norm in training mode": Fault(lambda: Net(layer=Stubborn(4)), {"eval", "batching", "crosstalk", "weights"}),
    "state between calls": Fault(lambda: Net(after=Counter()), UNSTABLE),
    "the batch's mean": Fault(lambda: Net(after=lambda y: y - 0.5 * y.mean(0)), {"batching", "crosstalk"}),
    "order of the batch": Fault(
        lambda: Net(after=lambda y: y + 0.1 * torch.arange(len(y), dtype=y.dtype)[:, None]), {"batching"}
    ),
    "detached": Fault(lambda: Net(before=torch.Tensor.detach), {"gradient", "crosstalk"}),
    "half detached": Fault(lambda: Net(before=lambda x: 0.5 * (x + x.detach())), {"gradient"}),
    "rounded inside": Fault(lambda: Net(before=lambda x: x + ((8 * x).round() / 8 - x).detach()), {"gradient"}),
    "float32 inside": Fault(lambda: Net(before=lambda x: x.float().to(x.dtype)), {"gradient"}),
    "a float32 constant": Fault(lambda: Net(after=lambda y: y @ torch.eye(WIDTH)), {"gradient", "dtypes"}),
    "not finite on plain images": Fault(
        lambda: Net(before=lambda x: x / x.flatten(1).std(1)[:, None, None, None]), {"finite"}
    ),
    "not a number": Fault(
        lambda: Net(after=lambda y: y / 0),
        {"finite", "modes", "batching", "crosstalk", "gradient", "dtypes"},
    ),
    "one embedding for all": Fault(lambda: Net(before=lambda x: 0 * x), {"finite", "gradient"}),
    "other without a graph": Fault(
        lambda: Net(after=lambda y: y * (1 if torch.is_grad_enabled() else 2)), {"modes", "gradient"}
    ),
    "another shape": Fault(lambda: Net(after=lambda y: y[:, :, None]), {"shape", "gradient"}),
    "another dimension": Fault(Net, {"shape", "gradient"}, changes={"embedding_dim": 7}),
    "mean and std of 0..255": Fault(
        Net,
        {"pixels"},
        replace(SQUARE, mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375)),
    ),
    "pixels of 0..255": Fault(Net, {"pixels"}, kind=Levels),
    "not frozen": Fault(Net, {"frozen"}, ready=(True, False)),
    "random weights at each load": Fault(lambda: Net(seed=None), {"reload", "dtypes"}),
    "random weights out of sight": Fault(Hidden, {"weights", "reload", "dtypes"}),
    "a digest of other weights": Fault(Net, {"weights"}, changes={"weights_sha256": "0" * 64}),
    "a pickle opened at loading": Fault(unpickling, {"reload"}),
    "too few labels": Fault(Net, {"head"}, parts=head(WIDTH - 1)),
    "texts of another dimension": Fault(Net, {"text"}, parts=text(lambda: Words(5))),
    "texts with dropout": Fault(Net, {"text"}, parts=text(lambda: nn.Sequential(Words(), Dropped()))),
    "the logarithm of the scale": Fault(Net, {"text"}, parts=text(scale=-2.3)),
}
