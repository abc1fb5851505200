"""What `vitequiv models list` and `show` say with `--format json`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FamilyRecord:
    """One family of encoders: a line of `models list`, and `models show`.

    Args:
        name: What a spec begins with.
        summary: What it is.
        default_checkpoint: What the name alone stands for; null if a checkpoint has to be named.
        readouts: What `--readout` takes, the default first.
        readout_source: Where the default readout is taken from.
        owner: The package that registered it.
    """

    name: str
    summary: str
    default_checkpoint: str | None
    readouts: tuple[str, ...]
    readout_source: str
    owner: str


@dataclass(frozen=True)
class PluginFailureRecord:
    """A plugin that could not be loaded: a line of `models list` and `plugins list`.

    Args:
        plugin: The plugin's name.
        owner: The package that it came with.
        error: What went wrong.
    """

    plugin: str
    owner: str
    error: str


@dataclass(frozen=True)
class RegisteredRecord:
    """Something that is built in or that a plugin added: a line of `plugins list`.

    Args:
        kind: What it is: `model`, `solver`, `group of directions` or `path`.
        name: Its name.
        summary: What it is, in a line.
        owner: The package that it came with.
        version: That package's version; null if it is not installed.
    """

    kind: str
    name: str
    summary: str
    owner: str
    version: str | None
