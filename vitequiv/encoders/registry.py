"""The registry: which families there are, who owns each, and which plugins failed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint

from vitequiv.encoders.families import EncoderFamily
from vitequiv.encoders.plugins import (
    BUILTIN_OWNER,
    DISABLE_VARIABLE,
    Plugin,
    PluginFailure,
    installed_plugins,
    load_plugins,
)
from vitequiv.errors import ModelError


@dataclass(frozen=True)
class RegisteredFamily:
    """A family and the distribution that owns it."""

    family: EncoderFamily
    owner: str


@dataclass(frozen=True)
class Registry:
    """Families by name.

    Args:
        families: Usable families, the built-in ones first.
        failures: Plugins that could not be used, with the reason.
        clashes: Names that two plugins claim, with both owners; such a name belongs to neither.
    """

    families: Mapping[str, RegisteredFamily]
    failures: tuple[PluginFailure, ...] = ()
    clashes: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def get(self, name: str) -> EncoderFamily:
        """Look a family up.

        Args:
            name: The family's name.

        Returns:
            The family.

        Raises:
            ModelError: If the name is unknown (near matches are named) or claimed by two plugins (both are named).
        """
        if name in self.clashes:
            raise ModelError(f"The model name {name!r} is {_claimed(*self.clashes[name])}: uninstall one of them.")
        if name not in self.families:
            raise ModelError(self._unknown(name))
        return self.families[name].family

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.families, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(self.families)}."
        failed = ", ".join(failure.name for failure in self.failures)
        broken = f" These plugins failed to load: {failed}." if failed else ""
        return f"There is no model named {name!r}: {hint}{broken} See 'vitequiv models list'."


def load_registry(third_party: Iterable[EntryPoint] | None = None) -> Registry:
    """Load the built-in families and the installed plugins.

    Args:
        third_party: Entry points to load; by default those installed, or none if VITEQUIV_DISABLE_PLUGINS is set.

    Returns:
        A registry; plugins that fail are in its `failures`.
    """
    plugins, failures = load_plugins(installed_plugins() if third_party is None else third_party)
    return _resolve(plugins, failures)


def _resolve(plugins: list[Plugin], failures: list[PluginFailure]) -> Registry:
    """Give each name to its one owner.

    A built-in name stays built in. A name that two plugins claim goes to neither: load order must not decide what a
    measurement was made of.

    Args:
        plugins: The plugins that loaded, the built-in one first.
        failures: Those that did not.

    Returns:
        The registry.
    """
    families: dict[str, RegisteredFamily] = {}
    clashes: dict[str, tuple[str, str]] = {}
    failures = list(failures)
    for plugin in plugins:
        for family in plugin.families:
            holder = families.get(family.name)
            if holder is None and family.name not in clashes:
                families[family.name] = RegisteredFamily(family, plugin.owner)
                continue
            first = holder.owner if holder else clashes[family.name][0]
            failures.append(
                PluginFailure(plugin.name, plugin.owner, f"{family.name!r} is {_claimed(first, plugin.owner)}")
            )
            if holder and holder.owner != BUILTIN_OWNER:
                clashes[family.name] = (holder.owner, plugin.owner)
                del families[family.name]
    return Registry(families, tuple(failures), clashes)


def _claimed(first: str, second: str) -> str:
    return f"claimed by both {first} and {second} ({DISABLE_VARIABLE}=1 turns plugins off)"
