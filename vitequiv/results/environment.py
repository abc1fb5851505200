"""What a result was made with."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from vitequiv._version import __version__

PACKAGES = (
    "torch",
    "torchvision",
    "transformers",
    "open_clip_torch",
    "timm",
    "pillow",
    "numpy",
    "safetensors",
    "kornia",
)


@dataclass(frozen=True)
class Environment:
    """Versions, and the choices that numbers depend on.

    Args:
        versions: Package versions by name, with `vitequiv` and `python`.
        platform: Operating system and machine.
        device: The torch device.
        dtype: float32, float64 or bfloat16.
        seed: The seed of everything random.
    """

    versions: Mapping[str, str]
    platform: str
    device: str
    dtype: str
    seed: int


def describe_environment(device: str, dtype: str, seed: int) -> Environment:
    """Collect versions.

    Args:
        device: The torch device's name.
        dtype: The dtype's name.
        seed: The seed in use.

    Returns:
        The environment; packages that are not installed are left out.
    """
    versions = {"vitequiv": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Environment(versions, f"{platform.system()} {platform.machine()}", device, dtype, seed)
