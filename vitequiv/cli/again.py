"""The command that goes on with a run: how the program was called, what was parsed, and `--resume`."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from vitequiv.images.naming import shown
from vitequiv.runs.worklist.finding import STDIN

NAME = "vitequiv"
LEFT_OUT = frozenset({"overwrite", "resume"})
DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/")
"""Where a shell puts what it made for one command, as for `<(...)`."""
READ_FROM_STDIN = frozenset({"paths", "to", "target_mean"})
"""Parameters in which `-` stands for names on standard input."""


def way_on(context: typer.Context) -> str:
    """Say how to go on with a run.

    Args:
        context: The context of its verb, parsed.

    Returns:
        `go on with: ` and a command for a shell, last of the line; before it what the command cannot repeat.
    """
    hint = "".join(f"{what} again, and " for what in _streamed(context))
    return f"{hint}go on with: {' '.join(map(quoted, [*program(), *arguments(context)]))}"


def arguments(context: typer.Context) -> list[str]:
    """The verb and all that was typed after it, with `--resume`.

    Args:
        context: The context of the verb, parsed.

    Returns:
        The words. What a configuration file said is not among them, for `--config` is.
    """
    options: list[str] = []
    names: list[str] = []
    for parameter, values in _typed(context):
        if parameter.param_type_name == "argument":
            names += values
        elif getattr(parameter, "is_flag", False):
            options.append(max(parameter.opts, key=len))
        else:
            options += [word for value in values for word in _option(max(parameter.opts, key=len), value)]
    verb = str(context.info_name)
    if any(name.startswith("-") and name != STDIN for name in names):
        return [verb, *options, "--resume", "--", *names]
    return [verb, *names, *options, "--resume"]


def program() -> list[str]:
    """How this program was called.

    Returns:
        The words before the verb: a script's name if the shell finds it by that, its path, or Python with its options.
    """
    typed = sys.argv[1:]
    before = sys.orig_argv[: len(sys.orig_argv) - len(typed)]
    if not typed or len(before) < 2 or sys.orig_argv[len(before) :] != typed:  # it was called from Python
        return [NAME] if shutil.which(NAME) else [sys.executable, "-m", NAME]
    script = sys.argv[0]
    # Python puts itself before a script that the system ran by its first line.
    if len(before) == 2 and before[1] == script and os.access(script, os.X_OK) and _names_interpreter(script):
        if not Path(script).is_absolute():
            return [script if os.sep in script else f"{os.curdir}{os.sep}{script}"]
        found = shutil.which(Path(script).name)
        return [Path(script).name if found and Path(found).samefile(script) else script]
    return [before[0] if shutil.which(before[0]) else sys.executable, *before[1:]]


def quoted(word: str) -> str:
    r"""Quote a word for a shell, on one line, in characters that standard error can write.

    Args:
        word: Any word, also one with line breaks or bytes that are not UTF-8.

    Returns:
        The word, in quotes if need be; as `$'\012'`, which bash, zsh and ksh read, where it cannot be printed.
    """
    with suppress(UnicodeEncodeError):
        word.encode(getattr(sys.stderr, "encoding", None) or "utf-8")
        if not word or shown(word) == word:
            return shlex.quote(word)
    letters = (chr(byte) if 32 <= byte < 127 and byte not in b"'\\" else f"\\{byte:03o}" for byte in os.fsencode(word))
    return f"$'{''.join(letters)}'"


def _names_interpreter(script: str) -> bool:
    """Whether the system runs a file by what its first line names."""
    try:
        with Path(script).open("rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _option(name: str, value: str) -> Sequence[str]:
    """An option as words; one word where its value could be taken for an option."""
    return [f"{name}={value}"] if value.startswith("-") and value != STDIN else [name, value]


def _typed(context: typer.Context) -> Iterable[tuple[Any, list[str]]]:
    """Each parameter that the command line gave, with its values as words, in the order in which they were typed."""
    parameters = {parameter.name: parameter for parameter in context.command.params}
    for name, value in context.params.items():
        origin = context.get_parameter_source(name)
        if origin is not None and origin.name == "COMMANDLINE" and name not in LEFT_OUT and value is not None:
            yield parameters[name], [str(one) for one in (value if isinstance(value, list | tuple) else [value])]


def _streamed(context: typer.Context) -> list[str]:
    """What was read and is gone: to be given again, in words."""
    found: dict[str, None] = {}
    for parameter, values in _typed(context):
        for value in values:
            if value == STDIN and parameter.name in READ_FROM_STDIN:
                found["give the names on standard input"] = None
            elif value == "/dev/stdin" or value.startswith(DESCRIPTORS):
                found[f"give what was read from {shown(value)}"] = None
    return list(found)
