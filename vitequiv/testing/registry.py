"""A registry with a plugin in it that need not be installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint

from vitequiv.encoders.families import EncoderFamily
from vitequiv.plugins.hookspecs import PROJECT
from vitequiv.plugins.kinds import ENCODER, KINDS
from vitequiv.plugins.loading import load_plugins
from vitequiv.plugins.registry import Registry, registry_from


def registry_of(*modules: str) -> Registry[EncoderFamily]:
    """Load plugins by their modules' names, the way their entry points would.

    Args:
        modules: What stands to the right of each entry point, for example `vitequiv_mine.plugin`.

    Returns:
        The built-in families of encoders and those of the modules, whatever else is installed.

    Raises:
        AssertionError: If a module cannot be imported or registers something unusable of any kind; the message says
            which and why.
    """
    plugins = load_plugins([EntryPoint(name=module, value=module, group=PROJECT) for module in modules])
    failures = dict.fromkeys(failure for kind in KINDS for failure in registry_from(plugins, kind).failures)
    if failures:
        reasons = "; ".join(f"{failure.name}: {failure.error}" for failure in failures)
        raise AssertionError(f"These plugins do not load: {reasons}.")
    return registry_from(plugins, ENCODER)
