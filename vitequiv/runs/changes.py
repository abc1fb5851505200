"""What is different between a run that is to be resumed and the one asked for: settings, model, owners, machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vitequiv.results.envelope import ModelRecord, jsonable
from vitequiv.results.environment import PluginRecord
from vitequiv.results.settings import Setting, Source
from vitequiv.runs.context import RunContext

if TYPE_CHECKING:
    from vitequiv.runs.record import RunRecord

NO_DIFFERENCE = frozenset({"batch_size", "quiet", "output_format", "out", "overwrite", "resume", "config", "engine"})
"""Settings that cannot change a result; a batch's size only its last bits."""


def changed_model(old: Mapping[str, Any], new: ModelRecord) -> str:
    """Say what of a model is another.

    Args:
        old: The model then, as JSON.
        new: The model now, of the same name.

    Returns:
        What has changed with both digests; nothing if it is the same, as far as an older version wrote it down.
    """
    changes = []
    for what, name in (("other weights", "weights_sha256"), ("other preprocessing", "preprocessing_sha256")):
        then, now = old.get(name), getattr(new, name)
        if then is not None and then != now:
            changes.append(f"{what} (sha256 {str(then)[:12]} -> {str(now)[:12]})")
    return " and ".join(changes)


def differences(old: Mapping[str, Any], new: Mapping[str, Setting]) -> list[str]:
    """Compare settings.

    Args:
        old: Settings from JSON, by name.
        new: Settings now.

    Returns:
        `name: then -> now` for each that differs and can change a result. A setting that there was not then, in an
        older version, differs only if it was given.
    """
    changes = []
    for name in sorted({*old, *new} - NO_DIFFERENCE):
        if name not in new or (name not in old and new[name].source is Source.DEFAULT):
            continue
        then = old[name].get("value") if name in old else None
        value = jsonable(new[name].value)
        if then != value:
            changes.append(f"{name}: {json.dumps(then)} -> {json.dumps(value)}")
    return changes


def changed_environment(old: RunRecord, context: RunContext) -> str | None:
    """Say what of the machine is different, as numbers may then differ in their last bits.

    Args:
        old: The record of the run so far.
        context: What its items would now share.

    Returns:
        A sentence, or None.
    """
    then, new = old.context["environment"], jsonable(context.environment)
    names = [f"device {then.get('device')} -> {new['device']}"] if then.get("device") != new["device"] else []
    versions = then.get("versions") or {}
    names += [f"{k} {versions.get(k)} -> {v}" for k, v in new["versions"].items() if versions.get(k) != v]
    before = {(plugin["kind"], plugin["name"]): plugin for plugin in then.get("plugins") or ()}
    others = [
        f"the {kind} {name} of {plugin.owner} {before[kind, name]['version']} -> {plugin.version}"
        for (kind, name), plugin in _plugins(context).items()
        if (kind, name) in before and before[kind, name]["version"] != plugin.version
    ]
    if others:
        return f"Resumed with {', '.join([*names, *others])}: results may differ from those that are kept."
    if not names:
        return None
    return f"Resumed with {', '.join(names)}: results equal those of an undisturbed run up to rounding."


def _plugins(context: RunContext) -> dict[tuple[str, str], PluginRecord]:
    return {(plugin.kind, plugin.name): plugin for plugin in context.environment.plugins}


def other_owners(old: RunRecord, context: RunContext) -> list[str]:
    """Say what goes by the same name as then, and is another's.

    Args:
        old: The record of the run so far.
        context: What its items would now share.

    Returns:
        A name and both owners, for each.
    """
    known = _plugins(context)
    return [
        f"the {then['kind']} {then['name']}: of {then['owner']} -> of {now_has.owner}"
        for then in old.context["environment"].get("plugins") or ()
        if (now_has := known.get((then["kind"], then["name"]))) and now_has.owner != then["owner"]
    ]
