"""`{commands}`: every command of vitequiv with its arguments and options, read from the Typer app at every build."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from vitequiv.cli.app import app as program

MARKUP = re.compile(r"([\\`*_{}\[\]<>#|$~])")
EXTRA = re.compile(r"^(.*?)(?:  \[(.*)\])?$", re.DOTALL)


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Yields the whole name of each command that does something, the command and its context."""

    def below(name: str, command: Any, parent: Any) -> Iterator[tuple[str, Any, Any]]:
        context = command.context_class(command, info_name=name, parent=parent)
        children = getattr(command, "commands", {})
        if not children:
            yield context.command_path, command, context
        for child, itself in children.items():
            yield from below(child, itself, context)

    yield from below("vitequiv", typer.main.get_command(program), None)


def reference() -> str:
    """Returns the reference in Markdown: a section a command, a definition list a panel of options."""
    return "\n".join(line for command in commands() for line in _section(*command))


def _section(name: str, command: Any, context: Any) -> Iterator[str]:
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield from (f"## `{name}`", "", _plain(command.help or ""), "", "```text", usage, "```", "")
    panels: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            kind = "Arguments" if parameter.param_type_name == "argument" else "General"
            panels.setdefault(getattr(parameter, "rich_help_panel", None) or kind, []).append(record)
    for panel, records in panels.items():
        yield from (f"```{{rubric}} {panel}", "```", "")
        for names, text in records:
            says, extra = EXTRA.match(text).groups()  # type: ignore[union-attr]  # it matches any text
            yield f"`{names}`"
            yield f": {_plain(says)}" + (f" *{_plain(extra)}*" if extra else "")
            yield ""


def _plain(text: str) -> str:
    """Returns a help text on one line, with nothing in it that Markdown would take for itself."""
    unescaped = text.replace("\\[", "[")  # Rich's own escape, as in vitequiv\[jpeg]
    return MARKUP.sub(r"\\\1", " ".join(unescaped.split()))


class Commands(SphinxDirective):
    """The directive, without arguments or content."""

    def run(self) -> list[nodes.Node]:
        """Called by Sphinx."""
        self.env.note_reread()  # the app may have changed where the page has not
        return self.parse_text_to_nodes(reference(), allow_section_headings=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
