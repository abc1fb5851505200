"""Who made what a run uses, where that is not vitequiv."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from vitequiv.plugins.guard import is_builtin
from vitequiv.plugins.kinds import Kind
from vitequiv.plugins.registry import find
from vitequiv.results.environment import PluginRecord


def origins(used: Mapping[Kind[Any], Iterable[str]]) -> tuple[PluginRecord, ...]:
    """Find the owners of names.

    Args:
        used: Names in use, by kind.

    Returns:
        A record for each that is a plugin's; none for a name that is built in, or that a program made up without
        registering it.
    """
    records = []
    for kind, names in used.items():
        for name in names:
            try:
                found = find(kind, name)
            except kind.error:
                continue
            if not is_builtin(found):
                records.append(PluginRecord(kind.word, name, found.owner.name, found.owner.version))
    return tuple(records)
