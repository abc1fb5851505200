"""From Python's types to JSON Schema."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from vitequiv.results.marks import AlwaysFinite, Keys, PlainValue
from vitequiv.results.parse import key_of

Schema = dict[str, Any]

NOT_FINITE = "Null if it is NaN or infinite, which JSON has not."
_SCALARS: Mapping[Any, Schema] = {
    str: {"type": "string"},
    Path: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    float: {"type": ["number", "null"]},
}
_PLAIN = {"type": ["string", "number", "boolean", "null", "array"], "items": {"type": "string"}}


class Definitions:
    """Turns types into schemas, and keeps those of dataclasses apart, to be referred to.

    Args:
        found: The schemas of dataclasses so far, by the classes' names.
    """

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def schema_of(self, kind: Any) -> Schema:
        """Describe a type.

        Args:
            kind: A dataclass, an enum, a plain type, or a mapping, tuple, sequence or union of such, perhaps marked.

        Returns:
            The schema of its JSON, as `jsonable` writes it.

        Raises:
            TypeError: If JSON has nothing for it.
        """
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self._marked(parts[0], parts[1])
        if origin in {Union, types.UnionType}:
            return self._union(parts)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._mapping(*parts)
        if isinstance(origin, type) and issubclass(origin, Sequence):
            return self._array(parts)
        if kind in _SCALARS:
            return dict(_SCALARS[kind])
        if isinstance(kind, type) and issubclass(kind, Enum):
            return {"type": "string", "enum": [member.value for member in kind]}
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            if kind.__name__ not in self.found:
                self.found[kind.__name__] = {}  # its place, should it refer to itself
                self.found[kind.__name__] = self.record(kind)
            return {"$ref": f"#/$defs/{kind.__name__}"}
        raise TypeError(f"Expected a type that JSON has, got {kind!r}.")

    def record(self, kind: type) -> Schema:
        """Describe a dataclass in place.

        Args:
            kind: The dataclass; its docstring describes it and each field.

        Returns:
            The schema of an object with all of its keys and no others.

        Raises:
            TypeError: If a field is not described.
        """
        summary, described = parse_docstring(kind)
        hints = get_type_hints(kind, include_extras=True)
        properties = {}
        for field in dataclasses.fields(kind):
            if field.name not in described:
                raise TypeError(f"Expected the docstring of {kind.__name__} to describe {field.name}.")
            properties[key_of(field)] = self.described(hints[field.name], described[field.name])
        return {"description": summary, **closed(properties)}

    def described(self, kind: Any, text: str) -> Schema:
        """Describe a type in words too.

        Args:
            kind: The type.
            text: What a value of it is.

        Returns:
            The schema.
        """
        ending = f" {NOT_FINITE}" if kind in {float, float | None} else ""
        return {**self.schema_of(kind), "description": text + ending}

    def _marked(self, kind: Any, mark: object) -> Schema:
        if isinstance(mark, Keys):
            values = self.schema_of(get_args(kind)[1])
            return closed(dict.fromkeys(mark.names, values), required=mark.required)
        if isinstance(mark, AlwaysFinite):
            return {"type": "number"}
        if isinstance(mark, PlainValue):
            return dict(_PLAIN)
        raise TypeError(f"Expected a mark of vitequiv.results.marks, got {mark!r}.")

    def _union(self, parts: Sequence[Any]) -> Schema:
        schemas = [self.schema_of(part) for part in parts]
        if all(schema.keys() == {"type"} for schema in schemas):
            words = [schema["type"] for schema in schemas]
            return {
                "type": list(dict.fromkeys(w for word in words for w in ([word] if isinstance(word, str) else word)))
            }
        return {"anyOf": schemas}

    def _mapping(self, key: Any, value: Any) -> Schema:
        names = {"propertyNames": {"pattern": "^[0-9]+$"}} if key is int else {}
        return {"type": "object", **names, "additionalProperties": self.schema_of(value)}

    def _array(self, parts: Sequence[Any]) -> Schema:
        items = self.schema_of(parts[0])
        if len(parts) == 1 or parts[1] is Ellipsis:
            return {"type": "array", "items": items}
        if any(part != parts[0] for part in parts):
            raise TypeError(f"Expected a tuple of one type, got {parts!r}.")
        return {"type": "array", "items": items, "minItems": len(parts), "maxItems": len(parts)}


def closed(properties: Schema, required: bool = True) -> Schema:
    """Describe an object without other keys.

    Args:
        properties: Its keys.
        required: Whether all are there.

    Returns:
        The schema.
    """
    keys = {"required": list(properties)} if required else {}
    return {"type": "object", "properties": properties, **keys, "additionalProperties": False}


def parse_docstring(kind: type) -> tuple[str, dict[str, str]]:
    """Read a Google style docstring.

    Args:
        kind: A class.

    Returns:
        Its first paragraph and the entries of its `Args`, each on one line, with JSON's null for Python's None.
    """
    text = inspect.cleandoc(kind.__doc__ or "")
    arguments = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", text, re.MULTILINE)
    entries = re.findall(r"^ {4}(\w+): (.+(?:\n {8}.*)*)", arguments[1] if arguments else "", re.MULTILINE)
    return _line(text.split("\n\n")[0]), {name: _line(words) for name, words in entries}


def _line(text: str) -> str:
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))
