"""`--config FILE`: defaults for options from TOML, and where each setting came from."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from vitequiv.errors import UsageError
from vitequiv.results.settings import Setting, Source


def config_callback(context: typer.Context, path: Path | None) -> Path | None:
    """Make a configuration file's values the defaults of the options parsed after it.

    Args:
        context: The verb's context.
        path: The file, or None.

    Returns:
        The path, unchanged.

    Raises:
        UsageError: If the file cannot be read, is not TOML, or sets something that is no option of this verb.
    """
    if path is not None and not context.resilient_parsing:
        known = {parameter.name for parameter in context.command.params if parameter.name} - {"config", "help"}
        values = read_config(path, context.info_name or "", known)
        # One value of an option that can be given several times, as --model of some verbs, may stand alone.
        several = {p.name for p in context.command.params if getattr(p, "multiple", False)}
        values = {k: [v] if k in several and not isinstance(v, list) else v for k, v in values.items()}
        context.default_map = {**(context.default_map or {}), **values}
    return path


def read_config(path: Path, verb: str, known: set[str]) -> dict[str, Any]:
    """Read the values for one verb.

    Args:
        path: A TOML file: options at its top level for every verb, a table of a verb's name for that verb, which wins.
        verb: The verb.
        known: The option names of the verb, with underscores.

    Returns:
        Values by option name.

    Raises:
        UsageError: If the file cannot be read, is not TOML, or names an option that the verb does not have.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"The configuration file {path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The configuration file {path} is not TOML: {error}.") from None
    common = {key: value for key, value in document.items() if not isinstance(value, Mapping) and key != verb}
    own = document.get(verb, {})
    if not isinstance(own, Mapping):
        raise UsageError(f"The configuration file {path} sets {verb} to a value: make it a table, [{verb}].")
    values = {key.replace("-", "_"): value for key, value in {**common, **own}.items()}
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"see 'vitequiv {verb} --help'."
            raise UsageError(f"The configuration file {path} sets {name!r}, which is no option of {verb}: {hint}")
    return values


def settings_of(context: typer.Context, names: Mapping[str, Any]) -> dict[str, Setting]:
    """Say where each setting came from.

    Args:
        context: The verb's context.
        names: Values by parameter name.

    Returns:
        Settings in the order given.
    """
    sources = {"COMMANDLINE": Source.FLAG, "DEFAULT_MAP": Source.CONFIG}
    settings = {}
    for name, value in names.items():
        origin = context.get_parameter_source(name)
        settings[name] = Setting(value, sources.get(origin.name if origin else "", Source.DEFAULT))
    return settings
