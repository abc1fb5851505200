"""What is different between a run that is to be resumed and the one asked for: settings, model, owners, machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vitequiv.results.envelope import ModelRecord, jsonable
from vitequiv.results.environment import Environment, PluginRecord
from vitequiv.results.run import RunFile
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.context import RunContext
from vitequiv.runs.meanings import Made, same_meaning

NO_DIFFERENCE = frozenset({"batch_size", "quiet", "output_format", "out", "overwrite", "resume", "config", "engine"})
"""Settings that cannot change a result; a batch's size only its last bits."""
LONGEST = 200
"""Letters of a setting in a message."""
UNKNOWN = Made()


def changed_model(old: ModelRecord, new: ModelRecord) -> str:
    """Say what of a model is another.

    Args:
        old: The model then.
        new: The model now, of the same name.

    Returns:
        What has changed with both digests; nothing if it is the same, as far as an older version wrote it down.
    """
    changes = []
    for what, name in (("other weights", "weights_sha256"), ("other preprocessing", "preprocessing_sha256")):
        then, now = getattr(old, name), getattr(new, name)
        if then is not None and then != now:
            changes.append(f"{what} (sha256 {str(then)[:12]} -> {str(now)[:12]})")
    return " and ".join(changes)


def differences(
    old: Mapping[str, Setting], new: Mapping[str, Setting], made: Made = UNKNOWN, makes: Made = UNKNOWN
) -> list[str]:
    """Compare settings by what they mean.

    Args:
        old: Settings then.
        new: Settings now.
        made: What the run of the old ones made of them.
        makes: What is made of the new ones.

    Returns:
        `name: then -> now` for each that differs and can change a result. A setting that there was not then, in an
        older version, differs only if it was given.
    """
    changes = []
    then = {name: jsonable(setting.value) for name, setting in old.items()}
    now = {name: jsonable(setting.value) for name, setting in new.items()}
    for name in sorted({*old, *new} - NO_DIFFERENCE):
        if name not in new or (name not in old and new[name].source is Source.DEFAULT):
            continue
        if not same_meaning(name, then, made, now, makes):
            changes.append(f"{name}: {_short(then.get(name))} -> {_short(now[name])}")
    return changes


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def changed_environment(old: RunFile, context: RunContext) -> str | None:
    """Say what of the machine is different, as numbers may then differ in their last bits.

    Args:
        old: The record of the run so far.
        context: What its items would now share.

    Returns:
        A sentence, or None.
    """
    then, new = old.environment, context.environment
    names = [f"device {then.device} -> {new.device}"] if then.device != new.device else []
    versions = then.versions
    names += [f"{k} {versions.get(k)} -> {v}" for k, v in new.versions.items() if versions.get(k) != v]
    before = _plugins(then)
    others = [
        f"the {kind} {name} of {plugin.owner} {before[kind, name].version} -> {plugin.version}"
        for (kind, name), plugin in _plugins(new).items()
        if (kind, name) in before and before[kind, name].version != plugin.version
    ]
    if others:
        return f"Resumed with {', '.join([*names, *others])}: results may differ from those that are kept."
    if not names:
        return None
    return f"Resumed with {', '.join(names)}: results equal those of an undisturbed run up to rounding."


def _plugins(environment: Environment) -> dict[tuple[str, str], PluginRecord]:
    return {(plugin.kind, plugin.name): plugin for plugin in environment.plugins}


def other_owners(old: RunFile, context: RunContext) -> list[str]:
    """Say what goes by the same name as then, and is another's.

    Args:
        old: The record of the run so far.
        context: What its items would now share.

    Returns:
        A name and both owners, for each.
    """
    known = _plugins(context.environment)
    return [
        f"the {then.kind} {then.name}: of {then.owner} -> of {now_has.owner}"
        for then in old.environment.plugins
        if (now_has := known.get((then.kind, then.name))) and now_has.owner != then.owner
    ]
