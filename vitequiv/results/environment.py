"""What a result was made with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
class PluginRecord:
    """Something of a third party's plugin that a result was made with.

    Args:
        kind: What it is: `model`, `solver`, `group of directions` or `path`.
        name: Its name.
        owner: The distribution that registered it.
        version: The distribution's version; None if it is not installed.
    """

    kind: str
    name: str
    owner: str
    version: str | None


@dataclass(frozen=True)
class Environment:
    """Versions, and the choices that numbers depend on.

    Args:
        versions: Package versions by name, with `vitequiv` and `python`.
        platform: Operating system and machine.
        device: The torch device.
        dtype: float32, float64 or bfloat16.
        seed: The seed of everything random.
        plugins: What is not vitequiv's own.
    """

    versions: Mapping[str, str]
    platform: str
    device: str
    dtype: str
    seed: int
    plugins: tuple[PluginRecord, ...] = ()


def describe_environment(device: str, dtype: str, seed: int, plugins: tuple[PluginRecord, ...] = ()) -> Environment:
    """Collect versions.

    Args:
        device: The torch device's name.
        dtype: The dtype's name.
        seed: The seed in use.
        plugins: What is not vitequiv's own.

    Returns:
        The environment; packages that are not installed are left out.
    """
    # Imported here, off the way to --help.
    import platform
    from importlib.metadata import PackageNotFoundError, version

    versions = {"vitequiv": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return Environment(versions, f"{platform.system()} {platform.machine()}", device, dtype, seed, plugins)
