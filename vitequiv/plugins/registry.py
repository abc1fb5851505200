"""The registry of one kind: which names there are, who owns each, and which plugins failed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint
from typing import Any, Generic

from vitequiv.plugins.kinds import Kind, T
from vitequiv.plugins.loading import (
    BUILTIN,
    DISABLE_VARIABLE,
    Owner,
    PluginFailure,
    Plugins,
    Registration,
    collect,
    load_plugins,
)


@dataclass(frozen=True)
class Registered(Generic[T]):
    """A thing and who owns its name."""

    thing: T
    owner: Owner


@dataclass(frozen=True)
class Registry(Generic[T]):
    """Things of one kind by name.

    Args:
        kind: The kind.
        entries: Usable ones, the built-in ones first.
        failures: Plugins that could not be used, with the reason.
        clashes: Names that two plugins claim, with both owners; such a name belongs to neither.
    """

    kind: Kind[T]
    entries: Mapping[str, Registered[T]]
    failures: tuple[PluginFailure, ...] = ()
    clashes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def get(self, name: str) -> T:
        """Look a thing up; see `find`."""
        return self.find(name).thing

    def find(self, name: str) -> Registered[T]:
        """Look a thing and its owner up.

        Args:
            name: The name.

        Returns:
            Both.

        Raises:
            VitequivError: The kind's error, if the name is unknown (near ones are named) or claimed by two plugins
                (both are named).
        """
        if name in self.clashes:
            claimed = _claimed(*self.clashes[name])
            raise self.kind.error(f"The {self.kind.word} {name!r} is {claimed}: uninstall one of them.")
        if name not in self.entries:
            raise self.kind.error(self._unknown(name))
        return self.entries[name]

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.entries, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(self.entries)}."
        failed = "; ".join(f"{failure.name}, {failure.error.rstrip('.')}" for failure in self.failures)
        broken = f" What failed to load: {failed}." if failed else ""
        return f"There is no {self.kind.word} named {name!r}: {hint}{broken} See '{self.kind.listing}'."


def load_registry(kind: Kind[T], third_party: Iterable[EntryPoint] | None = None) -> Registry[T]:
    """Load what is built in of a kind, and what the installed plugins add.

    Args:
        kind: The kind.
        third_party: Entry points to load; by default those installed, or none if VITEQUIV_DISABLE_PLUGINS is set.

    Returns:
        A registry; plugins that fail are in its `failures`.
    """
    return registry_from(load_plugins(third_party), kind)


def find(kind: Kind[T], name: str) -> Registered[T]:
    """Look a name up among what is built in, and only then among plugins, which need not be imported for the former.

    Args:
        kind: The kind.
        name: The name.

    Returns:
        What it stands for, and its owner; raises as `Registry.find` does.
    """
    builtin: Registry[T] = _builtin(kind)
    return builtin.entries[name] if name in builtin.entries else load_registry(kind).find(name)


@cache
def _builtin(kind: Kind[Any]) -> Registry[Any]:
    return load_registry(kind, ())


def registry_from(plugins: Plugins, kind: Kind[T]) -> Registry[T]:
    """Give each name of a kind to its one owner.

    A built-in name stays built in. A name that two plugins claim goes to neither: load order must not decide what a
    measurement was made of.

    Args:
        plugins: The plugins that were imported, the built-in one first.
        kind: The kind.

    Returns:
        The registry.
    """
    entries: dict[str, Registered[T]] = {}
    clashes: dict[str, tuple[str, str]] = {}
    registrations: list[Registration[T]]
    registrations, failures = collect(plugins, kind)
    for owner, thing in (
        (registration.owner, thing) for registration in registrations for thing in registration.things
    ):
        holder = entries.get(thing.name)
        if holder is None and thing.name not in clashes:
            entries[thing.name] = Registered(thing, owner)
            continue
        first = holder.owner.name if holder else clashes[thing.name][0]
        failures.append(
            PluginFailure(owner.plugin, owner.name, f"{thing.name!r} is {_claimed(first, owner.name)}: rename it", kind)
        )
        if holder and holder.owner != BUILTIN:
            clashes[thing.name] = (first, owner.name)
            del entries[thing.name]
    return Registry(kind, entries, tuple(failures), clashes)


def _claimed(first: str, second: str) -> str:
    return f"claimed by both {first} and {second} ({DISABLE_VARIABLE}=1 turns plugins off)"
