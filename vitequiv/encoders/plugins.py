"""Loading plugins: each guarded, so that one that fails is recorded and takes nothing else down."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

import pluggy

from vitequiv.encoders import builtin, hookspecs
from vitequiv.encoders.families import EncoderFamily

BUILTIN_OWNER = "vitequiv"
DISABLE_VARIABLE = "VITEQUIV_DISABLE_PLUGINS"


@dataclass(frozen=True)
class Plugin:
    """A plugin that loaded.

    Args:
        name: The entry point's name.
        owner: The distribution that declares it.
        families: What it registered.
    """

    name: str
    owner: str
    families: tuple[EncoderFamily, ...]


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that could not be used.

    Args:
        name: The entry point's name.
        owner: The distribution that declares it.
        error: What went wrong, one line.
    """

    name: str
    owner: str
    error: str


def plugins_disabled() -> bool:
    """Returns whether the environment turns third-party plugins off."""
    return os.environ.get(DISABLE_VARIABLE, "0") not in {"", "0"}


def installed_plugins() -> list[EntryPoint]:
    """Returns the entry points of the group `vitequiv`, by name; none if VITEQUIV_DISABLE_PLUGINS is set."""
    return [] if plugins_disabled() else sorted(entry_points(group=hookspecs.PROJECT), key=lambda ep: ep.name)


def load_plugins(third_party: Iterable[EntryPoint]) -> tuple[list[Plugin], list[PluginFailure]]:
    """Import plugins and collect what they register through the hooks.

    Args:
        third_party: Entry points beside the built-in plugin, which always comes first.

    Returns:
        The plugins that loaded, in order, and the failures.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(builtin, name="builtin")
    identity = {"builtin": ("builtin", BUILTIN_OWNER)}
    failures = []
    for entry_point in third_party:
        owner = entry_point.dist.name if entry_point.dist else entry_point.value
        key = f"{owner}:{entry_point.name}"
        identity[key] = (entry_point.name, owner)
        try:
            manager.register(entry_point.load(), name=key)
            _require_hooks(manager, key)
            manager.check_pending()  # after each one, so that a misspelt hook is blamed on its own plugin
        except (Exception, SystemExit) as error:
            if manager.has_plugin(key):
                manager.unregister(name=key)
            failures.append(PluginFailure(entry_point.name, owner, _one_line(error)))

    plugins = []
    implementations = manager.hook.vitequiv_register_encoders.get_hookimpls()
    for implementation in sorted(implementations, key=lambda i: list(identity).index(i.plugin_name)):
        name, owner = identity[implementation.plugin_name]
        families: list[EncoderFamily] = []
        try:
            # The implementation alone, not the manager's call of all: an exception there would stop the others.
            implementation.function(families.append)
            _check(families)
        except (Exception, SystemExit) as error:
            failures.append(PluginFailure(name, owner, _one_line(error)))
        else:
            plugins.append(Plugin(name, owner, tuple(families)))
    return plugins, failures


def _require_hooks(manager: pluggy.PluginManager, key: str) -> None:
    if not manager.get_hookcallers(manager.get_plugin(key)):
        raise ValueError("it implements no hook of vitequiv: is @hookimpl missing?")


def _check(families: list[EncoderFamily]) -> None:
    for family in families:
        if not isinstance(family, EncoderFamily):
            raise TypeError(f"register() takes a vitequiv.encoders.families.EncoderFamily, got {type(family).__name__}")
    names = [family.name for family in families]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the name {twice[0]!r} is registered twice by one plugin")


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
