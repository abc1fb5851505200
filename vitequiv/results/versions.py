"""Which results this version reads: all of its major schema version, with whatever keys a later minor one adds."""

from __future__ import annotations

from typing import Any

from vitequiv._version import __version__

MAJOR = 1
"""The number in `vitequiv/<kind>/1`."""


class SchemaError(ValueError):
    """A result is of a schema that is not read here."""


class LaterSchemaError(SchemaError):
    """It is of a later major version of the schema that was expected."""


def schema_name(kind: str) -> str:
    """The schema of a kind of JSON as this version writes it, such as `vitequiv/match/1`."""
    return f"vitequiv/{kind}/{MAJOR}"


def require_schema(record: Any, kind: str) -> None:
    """Make sure that a result can be read.

    Args:
        record: What a JSON file holds.
        kind: What it should be: a verb, or `run`.

    Raises:
        LaterSchemaError: If a later vitequiv wrote it; the sentence names both schemas.
        SchemaError: If it is something else.
    """
    found = record.get("schema") if isinstance(record, dict) else None
    wanted = schema_name(kind)
    if found == wanted:
        return
    if not isinstance(found, str):
        raise SchemaError(f"it names no schema, where {wanted} is expected")
    start, _, number = found.rpartition("/")
    if start == f"vitequiv/{kind}" and number.isascii() and number.isdigit() and len(number) < 9:
        raise LaterSchemaError(
            f"it has the schema {found}, and vitequiv {__version__} reads {wanted}: take a later vitequiv"
        )
    raise SchemaError(f"it has the schema {found[:60]!r}, where {wanted} is expected")
