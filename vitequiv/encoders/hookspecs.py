"""The hooks a plugin can implement, all on this screen.

A plugin is a module (or object) named by an entry point of the group `vitequiv`:

    [project.entry-points.vitequiv]
    my-encoder = "my_package.plugin"

and in `my_package/plugin.py`:

    from vitequiv.encoders.hookspecs import hookimpl

    @hookimpl
    def vitequiv_register_encoders(register):
        register(EncoderFamily(name="my-encoder", load=load, ...))
"""

from __future__ import annotations

from collections.abc import Callable

import pluggy

from vitequiv.encoders.families import EncoderFamily

PROJECT = "vitequiv"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def vitequiv_register_encoders(register: Callable[[EncoderFamily], None]) -> None:
    """Call `register(family)` once for each family; import nothing heavy before `EncoderFamily.load` is called."""
