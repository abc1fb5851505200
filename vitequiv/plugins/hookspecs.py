"""The hooks a plugin can implement, all on this screen.

A plugin is a module (or object) named by an entry point of the group `vitequiv`:

    [project.entry-points.vitequiv]
    my-plugin = "my_package.plugin"

and in `my_package/plugin.py`, one or more of:

    from vitequiv.plugins.hookspecs import hookimpl

    @hookimpl
    def vitequiv_register_encoders(register):
        register(EncoderFamily(name="my-encoder", load=load, ...))

Each hook may call `register` several times. Import nothing heavy before what was registered is used: shell completion
and the listings import the module.
"""

from __future__ import annotations

from collections.abc import Callable

import pluggy

from vitequiv.encoders.families import EncoderFamily
from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.paths.named import NamedPath

PROJECT = "vitequiv"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vitequiv_register_encoders(register: Callable[[EncoderFamily], None]) -> None:
    """Families of encoders, for `--model NAME` of every verb."""


@hookspec
def vitequiv_register_solvers(register: Callable[[NamedSolver], None]) -> None:
    """Solvers, for `--solver NAME` of match, statistics and interpolate."""


@hookspec
def vitequiv_register_directions(register: Callable[[NamedDirections], None]) -> None:
    """Groups of directions, for `--directions NAME` of ldlc."""


@hookspec
def vitequiv_register_paths(register: Callable[[NamedPath], None]) -> None:
    """Ways from one image to another, for `--path NAME` of interpolate."""
