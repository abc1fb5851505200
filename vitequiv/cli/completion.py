"""What the shell offers after options whose values are registered names, without loading any model's library."""

from __future__ import annotations

from typing import Any

from vitequiv.plugins.kinds import DIRECTIONS, ENCODER, PATH, SOLVER, Kind


def model_names(incomplete: str) -> list[tuple[str, str]]:
    """Complete a model's name.

    Args:
        incomplete: What has been typed.

    Returns:
        Names that begin so, each with its summary; none after a colon, where a checkpoint is named.
    """
    return _names(ENCODER, incomplete.lower())


def solver_names(incomplete: str) -> list[tuple[str, str]]:
    """Complete a solver's name; as `model_names`."""
    return _names(SOLVER, incomplete)


def path_names(incomplete: str) -> list[tuple[str, str]]:
    """Complete a path's name; as `model_names`."""
    return _names(PATH, incomplete)


def direction_names(incomplete: str) -> list[tuple[str, str]]:
    """Complete the last of several groups of directions.

    Args:
        incomplete: What has been typed, with commas.

    Returns:
        What was typed up to the last comma with each name that can follow, and its summary.
    """
    before, comma, last = incomplete.rpartition(",")
    return [(before + comma + name, summary) for name, summary in _names(DIRECTIONS, last)]


def _names(kind: Kind[Any], incomplete: str) -> list[tuple[str, str]]:
    # Imported here, for every command asks for this module, and pluggy reads what is installed.
    from vitequiv.plugins.registry import load_registry

    entries = load_registry(kind).entries
    return [(name, entries[name].thing.summary) for name in entries if name.startswith(incomplete)]
