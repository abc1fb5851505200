"""LPIPS: how alike two images look to a network that was calibrated on people's judgments."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.images.lattice import quantise

BACKBONE = "alexnet-owt-7be5be79.pth"
"""torchvision's AlexNet, as torch.hub names its download."""
LINEAR = Path("weights", "v0.1", "alex.pth")
"""The calibrated weights, in the `lpips` package."""
CHANNELS = (64, 192, 384, 256, 256)
"""Of AlexNet's five convolutions, each compared after its rectifier."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What the network takes off its input in [-1, 1] and divides it by."""


def weight_files() -> tuple[Path, Path] | None:
    """Find the weights; nothing is ever downloaded.

    Returns:
        The backbone's file in torch.hub's folder of checkpoints (`$TORCH_HOME/hub/checkpoints`, by default
        `~/.cache/torch/hub/checkpoints`) and the calibrated weights in the installed `lpips` package; None if either
        is missing.
    """
    backbone = Path(torch.hub.get_dir(), "checkpoints", BACKBONE)
    package = find_spec("lpips")
    if package is None or package.origin is None or not backbone.is_file():
        return None
    linear = Path(package.origin).parent / LINEAR
    return (backbone, linear) if linear.is_file() else None


def lpips(a: Tensor, b: Tensor) -> float | None:
    """Learned perceptual distance of two images as 8-bit files hold them (Zhang et al. 2018; AlexNet, version 0.1).

    The images go through the network in [-1, 1] at their own size, which is the encoder's input size. At each of five
    layers the features are made unit vectors over the channels; their squared differences, weighted by channel, are
    averaged over the layer and summed over layers. It is `lpips.LPIPS(net="alex")` of the package `lpips`, without its
    import, which would unpickle and download.

    Args:
        a: (3, H, W) in [0, 1]; rounded to 8 bits first.
        b: The same shape.

    Returns:
        At least 0, which equal images have; None without the weights (see `weight_files`), if they are not what they
        should be, or where an edge is too short for the network (below 63 pixels).
    """
    files = weight_files()
    if files is None or min(a.shape[-2:]) < SMALLEST:
        return None
    tensors = _load(*files)
    if tensors is None:
        return None
    both = torch.stack([quantise(image.detach()) for image in (a, b)]).float().cpu()
    shift, scale = (torch.tensor(values).view(1, 3, 1, 1) for values in (SHIFT, SCALE))
    with torch.no_grad():
        layers = _features((2 * both - 1 - shift) / scale, tensors)
        distance = 0.0
        for i, features in enumerate(layers):
            unit = features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
            weighted = tensors[f"lin{i}.model.1.weight"] * (unit[:1] - unit[1:]).square()
            distance += weighted.sum(1).mean().item()
    return distance


SMALLEST = 63
"""Below it AlexNet's last layer has nothing left."""
CONVOLUTIONS = ((0, 4, 2), (3, 1, 2), (6, 1, 1), (8, 1, 1), (10, 1, 1))
"""Of torchvision's AlexNet: place in `features`, stride, padding."""


def _features(x: Tensor, tensors: dict[str, Tensor]) -> list[Tensor]:
    """AlexNet's five rectified convolutions; a 3 x 3 maximum with stride 2 goes before the second and the third."""
    found = []
    for i, (place, stride, padding) in enumerate(CONVOLUTIONS):
        if i in {1, 2}:
            x = torch.nn.functional.max_pool2d(x, 3, 2)
        weight, bias = tensors[f"features.{place}.weight"], tensors[f"features.{place}.bias"]
        x = torch.nn.functional.conv2d(x, weight, bias, stride, padding).relu()
        found.append(x)
    return found


@cache
def _load(backbone: Path, linear: Path) -> dict[str, Tensor] | None:
    """Read tensors only, never code; None if they are not those of the network."""
    wanted = {f"features.{place}.{kind}" for place, *_ in CONVOLUTIONS for kind in ("weight", "bias")}
    wanted |= {f"lin{i}.model.1.weight" for i in range(len(CHANNELS))}
    tensors: dict[str, Tensor] = {}
    for path in (backbone, linear):
        try:
            found = torch.load(path, map_location="cpu", weights_only=True)
        except Exception:  # cut off, or not tensors alone: as good as absent
            return None
        if not isinstance(found, dict):
            return None
        tensors |= {name: value.float() for name, value in found.items() if name in wanted}
    if set(tensors) != wanted:
        return None
    sound = all(tensors[f"lin{i}.model.1.weight"].shape == (1, n, 1, 1) for i, n in enumerate(CHANNELS))
    outputs = [tensors[f"features.{place}.bias"].shape[0] for place, *_ in CONVOLUTIONS]
    return tensors if sound and outputs == list(CHANNELS) else None
