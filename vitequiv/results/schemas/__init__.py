"""JSON Schemas (draft 2020-12) of everything that vitequiv writes as JSON, as files of the package.

`vitequiv/match/1` is described by `match-1.schema.json`, and so on. They are strict: they describe what this version
writes, key for key. `python -m vitequiv.results.schemas` makes them again from the dataclasses.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

SUFFIX = ".schema.json"


def schema_names() -> list[str]:
    """List the schemas.

    Returns:
        Their names, such as `vitequiv/match/1`, sorted.
    """
    names = (entry.name for entry in files(__name__).iterdir() if entry.name.endswith(SUFFIX))
    return sorted("vitequiv/{}/{}".format(*name.removesuffix(SUFFIX).rsplit("-", 1)) for name in names)


def load_schema(name: str) -> dict[str, Any]:
    """Read a schema.

    Args:
        name: What `schema` says in the JSON, such as `vitequiv/match/1`.

    Returns:
        The schema.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in schema_names():
        raise ValueError(f"There is no schema {name!r}: choose from {', '.join(schema_names())}.")
    schema: dict[str, Any] = json.loads(files(__name__).joinpath(file_name(name)).read_text(encoding="utf-8"))
    return schema


def file_name(name: str) -> str:
    """The file of a schema, `match-1.schema.json` for `vitequiv/match/1`."""
    _, kind, version = name.split("/")
    return f"{kind}-{version}{SUFFIX}"
