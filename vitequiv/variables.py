"""The environment variables that vitequiv heeds; docs/reference/exit-codes.md lists them from here."""

from __future__ import annotations

from enum import StrEnum


class Variable(StrEnum):
    """Variables of vitequiv itself, then those of its libraries that matter to its users."""

    DISABLE_PLUGINS = "VITEQUIV_DISABLE_PLUGINS"
    """Anything but `0` turns third-party plugins off."""
    DEBUG = "VITEQUIV_DEBUG"
    """Anything turns the one-line report of a bug into a traceback."""
    IMAGEBIND_LICENCE = "VITEQUIV_IMAGEBIND_LICENCE"
    """`CC-BY-NC-4.0` accepts the licence of ImageBind's weights, which `--model imagebind` may then download (plugin
    vitequiv-imagebind)."""
    TORCH_HOME = "TORCH_HOME"
    """Where that download is kept, and where the weights of LPIPS are looked for."""
    HF_HOME = "HF_HOME"
    """Where the model hub's libraries keep their cache."""
    HF_HUB_OFFLINE = "HF_HUB_OFFLINE"
    """`1` means never to ask the network for a model."""
    RAY_ADDRESS = "RAY_ADDRESS"
    """The cluster of `--engine ray`, where `--ray-address` does not name one."""
    NO_COLOR = "NO_COLOR"
    """No colours."""
    FORCE_COLOR = "FORCE_COLOR"
    """Colours away from a terminal too; progress bars are for terminals only."""
    TERM = "TERM"
    """`dumb` means neither colours nor progress bars."""
    COLUMNS = "COLUMNS"
    """Width of tables; without it 160 away from a terminal."""
    OMP_NUM_THREADS = "OMP_NUM_THREADS"
    """Threads of one process; by default torch takes one a core."""
