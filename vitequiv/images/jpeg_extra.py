"""Whether the extra `vitequiv[jpeg]` is installed; light, for the command line."""

from __future__ import annotations

from importlib.util import find_spec

from vitequiv.errors import UsageError


def require_codec() -> None:
    """Make sure that the gradient of JPEG can be had; imports nothing.

    Raises:
        UsageError: If kornia is not installed.
    """
    if find_spec("kornia") is None:
        raise UsageError("--jpeg needs kornia, which is not installed: run pip install 'vitequiv[jpeg]'.")
