"""`--config FILE`: defaults for options from TOML, and where each setting came from."""

from __future__ import annotations

import difflib
import inspect
import json
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import typer

from vitequiv.errors import UsageError
from vitequiv.files.reading import FileError, read_text
from vitequiv.images.naming import shown
from vitequiv.results.settings import Setting, Source


def config_callback(context: typer.Context, path: Path | None) -> Path | None:
    """Make a configuration file's values the defaults of the options parsed after it.

    Args:
        context: The verb's context.
        path: The file, or None.

    Returns:
        The path, unchanged.

    Raises:
        UsageError: If the file cannot be read, is not TOML, or sets something that is no option of this verb, or to a
            value of another type.
    """
    if path is not None and not context.resilient_parsing:
        names = {_key(parameter): parameter.name for parameter in context.command.params if parameter.name}
        types = option_types(context.command.callback or (lambda: None))
        options = {key: (name, *types[name]) for key, name in names.items() if key not in {"", "config", "help"}}
        verbs = set(getattr(context.parent and context.parent.command, "commands", ()))
        values = read_config(path, context.info_name or "", options, verbs)
        context.default_map = {**(context.default_map or {}), **values}
    return path


def _key(parameter: Any) -> str:
    """An option's key in a file: the longest of its names on the command line, without the dashes."""
    names = [name for name in parameter.opts if name.startswith("--")]
    return max(names, key=len, default="").removeprefix("--").replace("-", "_")


def read_config(
    path: Path, verb: str, options: Mapping[str, tuple[str, type, bool]], verbs: Collection[str] = ()
) -> dict[str, Any]:
    """Read the values for one verb.

    Args:
        path: A TOML file: options at its top level for every verb, a table of a verb's name for that verb, which wins.
        verb: The verb.
        options: Parameter, type and whether it takes a list, by the name on the command line, with underscores.
        verbs: The names that tables may have beside this verb's.

    Returns:
        Values by parameter.

    Raises:
        UsageError: If the file cannot be read, is not TOML, has a table that is no verb's, or sets what is no option
            of the verb, or to a value of another type.
    """
    where = f"The configuration file {shown(path)}"
    try:
        document = tomllib.loads(read_text(path))
    except FileError as fault:
        raise UsageError(f"{where} cannot be read: {fault}.") from None
    except RecursionError:
        raise UsageError(f"{where} is not TOML that can be read: it is nested too deep.") from None
    except ValueError as error:
        raise UsageError(f"{where} is not TOML: {error}.") from None
    own = document.get(verb, {})
    if not isinstance(own, Mapping):
        raise UsageError(f"{where} sets {verb} to a value: make it a table, [{verb}].")
    for name, value in document.items():
        if isinstance(value, Mapping) and name != verb and name not in verbs:
            near = difflib.get_close_matches(name, {verb, *verbs}, n=1)
            hint = f"did you mean [{near[0]}]?" if near else f"a table is a verb's, such as [{verb}]."
            raise UsageError(f"{where} has the table [{shown(name)}], which is no verb: {hint}")
    common = {key: value for key, value in document.items() if not isinstance(value, Mapping) and key != verb}
    values = {}
    for key, value in {**common, **own}.items():
        option = options.get(key.replace("-", "_"))
        if option is None:
            near = difflib.get_close_matches(key.replace("-", "_"), options, n=1)
            hint = f"did you mean {near[0].replace('_', '-')}?" if near else f"see 'vitequiv {verb} --help'."
            raise UsageError(f"{where} sets {key!r}, which is no option of {verb}: {hint}")
        values[option[0]] = _typed(value, *option, f"{where} sets {key}")
    return values


NUMBERS_AS_TEXT = {"linf", "batch_size"}
"""Options that read their numbers themselves, since they also take words such as 8/255 or auto."""


def option_types(verb: Callable[..., Any]) -> dict[str, tuple[type, bool]]:
    """What a verb's options take.

    Args:
        verb: The function behind the verb.

    Returns:
        By parameter: bool, int, float, or str for everything else (paths, choices), and whether it is a list of them.
    """
    found: dict[str, tuple[type, bool]] = {}
    for name, hint in get_type_hints(inspect.unwrap(verb)).items():
        parts = [part for part in get_args(hint) or (hint,) if part is not type(None)]
        several = get_origin(hint) is list or any(get_origin(part) is list for part in parts)
        found[name] = (next((kind for kind in (bool, int, float) if kind in parts), str), several)
    return found


WORDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


def _typed(value: Any, name: str, kind: type, several: bool, what: str) -> Any:
    """Refuse what Typer would convert without a word, such as "no" to false, 3 to a file's name or true to 1.0."""
    # One value of an option that can be given several times, as --model of some verbs, may stand alone.
    values = value if several and isinstance(value, list) else [value]
    right: tuple[type, ...] = (int, float) if kind is float else (kind,)
    if name in NUMBERS_AS_TEXT:
        right = (str, int, float)
    for one in values:
        if not isinstance(one, right) or (isinstance(one, bool) and kind is not bool):
            wanted = f"{WORDS[kind]}, or a list of them" if several else WORDS[kind]
            raise UsageError(f"{what} to {_said(one)}: it must be {wanted}.")
    texts = [str(one) if kind is str else one for one in values]
    return texts if several else texts[0]


LONGEST = 100
"""Letters of a wrong value in a message."""


def _said(value: Any) -> str:
    """A value for a message."""
    try:
        text = shown(json.dumps(value, default=str, ensure_ascii=False))
    except RecursionError:  # keys with thousands of dots
        return "something nested"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


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
