"""Loading plugins: each guarded, so that one that fails is recorded and takes nothing else down."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic

import pluggy

from vitequiv._version import __version__
from vitequiv.plugins import builtin, hookspecs
from vitequiv.plugins.kinds import Kind, T

BUILTIN_OWNER = "vitequiv"
DISABLE_VARIABLE = "VITEQUIV_DISABLE_PLUGINS"


@dataclass(frozen=True)
class Owner:
    """Where a plugin is from.

    Args:
        plugin: The entry point's name.
        name: The distribution that declares it.
        version: The distribution's version; None for a module that is not installed.
    """

    plugin: str
    name: str
    version: str | None


BUILTIN = Owner("builtin", BUILTIN_OWNER, __version__)


@dataclass(frozen=True)
class Registration(Generic[T]):
    """What one plugin registered of one kind.

    Args:
        owner: Whose plugin.
        things: What it registered.
    """

    owner: Owner
    things: tuple[T, ...]


@dataclass(frozen=True)
class PluginFailure:
    """A plugin that could not be used.

    Args:
        name: The entry point's name.
        owner: The distribution that declares it.
        error: What went wrong, one line.
        kind: The kind of thing that it could not register; None for all that it has.
    """

    name: str
    owner: str
    error: str
    kind: Kind[Any] | None = None


@dataclass(frozen=True, eq=False)
class Plugins:
    """Plugins that were imported.

    Args:
        manager: Their hooks.
        owners: By the manager's name of each, in the order of loading, the built-in one first.
        failures: Those that could not be imported.
    """

    manager: pluggy.PluginManager
    owners: dict[str, Owner]
    failures: tuple[PluginFailure, ...]


def plugins_disabled() -> bool:
    """Returns whether the environment turns third-party plugins off."""
    return os.environ.get(DISABLE_VARIABLE, "0") not in {"", "0"}


def installed_plugins() -> list[EntryPoint]:
    """Returns the entry points of the group `vitequiv`, by name; none if VITEQUIV_DISABLE_PLUGINS is set."""
    return [] if plugins_disabled() else sorted(entry_points(group=hookspecs.PROJECT), key=lambda ep: ep.name)


def load_plugins(third_party: Iterable[EntryPoint] | None = None) -> Plugins:
    """Import plugins.

    Args:
        third_party: Entry points beside the built-in plugin, which always comes first; by default `installed_plugins`.

    Returns:
        Those that could be imported, and the failures.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(builtin, name=BUILTIN.plugin)
    owners, failures = {BUILTIN.plugin: BUILTIN}, []
    for entry_point in installed_plugins() if third_party is None else third_party:
        dist = entry_point.dist
        owner = Owner(entry_point.name, dist.name if dist else entry_point.value, dist.version if dist else None)
        key = f"{owner.name}:{owner.plugin}"
        owners[key] = owner
        try:
            manager.register(entry_point.load(), name=key)
            _require_hooks(manager, key)
            _require_known_hooks(manager)  # after each one, so that a misspelt hook is blamed on its own plugin
        except (Exception, SystemExit) as error:
            if manager.has_plugin(key):
                manager.unregister(name=key)
            failures.append(PluginFailure(owner.plugin, owner.name, one_line(error)))
    return Plugins(manager, owners, tuple(failures))


def collect(plugins: Plugins, kind: Kind[T]) -> tuple[list[Registration[T]], list[PluginFailure]]:
    """Ask plugins what they register of one kind; what fails here costs a plugin nothing of another kind.

    Args:
        plugins: The plugins.
        kind: The kind.

    Returns:
        What each registered, in the order of loading, and the failures, those of loading first.
    """
    registrations, failures = [], list(plugins.failures)
    order = list(plugins.owners)
    implementations = getattr(plugins.manager.hook, kind.hook).get_hookimpls()
    for implementation in sorted(implementations, key=lambda i: order.index(i.plugin_name)):
        owner = plugins.owners[implementation.plugin_name]
        things: list[T] = []
        try:
            # The implementation alone, not the manager's call of all: an exception there would stop the others.
            implementation.function(things.append)
            _check(things, kind)
        except (Exception, SystemExit) as error:
            failures.append(PluginFailure(owner.plugin, owner.name, one_line(error), kind))
        else:
            registrations.append(Registration(owner, tuple(things)))
    return registrations, failures


def one_line(error: BaseException) -> str:
    """An exception's type and text on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _require_hooks(manager: pluggy.PluginManager, key: str) -> None:
    if not manager.get_hookcallers(manager.get_plugin(key)):
        raise ValueError("it implements no hook of vitequiv: is @hookimpl missing?")


def _require_known_hooks(manager: pluggy.PluginManager) -> None:
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        known = ", ".join(name for name in vars(hookspecs) if name.startswith("vitequiv_register_"))
        raise ValueError(f"{error}; the hooks are {known}") from None


def _check(things: list[T], kind: Kind[T]) -> None:
    for thing in things:
        if not isinstance(thing, kind.accepts):
            wanted = f"{kind.accepts.__module__}.{kind.accepts.__qualname__}"
            raise TypeError(f"register() of {kind.hook} takes a {wanted}, got {type(thing).__name__}")
    names = [thing.name for thing in things]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"the name {twice[0]!r} is registered twice by one plugin")
