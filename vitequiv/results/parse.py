"""From JSON to the dataclasses that describe it: what is damaged is refused here, once, whoever reads."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from vitequiv.results.marks import AlwaysFinite, Keys, PlainValue

T = TypeVar("T")
LARGEST = 1 << 63
"""Whole numbers that nothing we count comes near, and that no library takes."""
SHOWN = 40
"""Letters of a wrong text in a message."""


class RecordError(ValueError):
    """Why JSON is no such record: a clause such as "result.cosine is 3, where an object is expected"."""


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def key_of(field: dataclasses.Field[Any]) -> str:
    """The key of a field in JSON: its name, without the underscore at the end of one such as `class_`."""
    return field.name.removesuffix("_")


def parse(kind: Any, value: Any, where: str) -> Any:
    """Read JSON as a type: the way back from `jsonable`, and what `results.schemas` describes.

    Args:
        kind: A dataclass, an enum, a plain type, or a mapping, tuple, sequence or union of such, perhaps marked.
        value: Plain JSON types.
        where: What the value is called, for messages.

    Returns:
        A value of the type. Keys that it does not know, which a later version may have added, are left out; one that
        is missing, as in results of an older version, has its default. Where null stands for NaN it is NaN.

    Raises:
        RecordError: If the value is anything else.
        TypeError: If the type is none that JSON has.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _marked(parts[0], parts[1], value, where)
    if origin in {Union, types.UnionType}:
        return _union(parts, value, where)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(parts, value, where)
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return _array(parts, value, where)
    if kind is Any:
        return value
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind, value, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return parse_record(kind, value, where)
    return _scalar(kind, value, where)


def parse_record(kind: type[T], value: Any, where: str) -> T:
    """Read an object as a dataclass; see `parse`.

    Args:
        kind: The dataclass.
        value: Plain JSON types.
        where: What the object is called, for messages; nothing for a whole file.

    Returns:
        The record.

    Raises:
        RecordError: If the value is something else, or the dataclass refuses what is in it.
    """
    if not isinstance(value, Mapping):
        raise RecordError(_expected("an object", value, where))
    hints = _hints(cast(Any, kind))
    found = {}
    for field in dataclasses.fields(cast(Any, kind)):
        key = key_of(field)
        if key in value:
            found[field.name] = parse(hints[field.name], value[key], f"{where}.{key}" if where else key)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise RecordError(f"{where or 'it'} lacks {key}")
    try:
        return kind(**found)
    except ValueError as error:
        raise RecordError(f"{where or 'it'} does not fit together: {error}") from None


def _expected(what: str, value: Any, where: str) -> str:
    if isinstance(value, Mapping):
        said = "an object"
    elif isinstance(value, list | tuple):
        said = "a list"
    elif isinstance(value, str):
        said = ascii(value[:SHOWN]) + ("..." if len(value) > SHOWN else "")
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= LARGEST:
        said = "a number beyond all bounds"
    else:
        said = "null" if value is None else str(value).lower()
    return f"{where or 'it'} is {said}, where {what} is expected"


def _scalar(kind: Any, value: Any, where: str) -> Any:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    if kind is float:
        if value is None:
            return math.nan
        # As it is: a whole number is written back as one.
        if whole or isinstance(value, float):
            return value
        raise RecordError(_expected("a number", value, where))
    if kind is int:
        if whole:
            return value
        raise RecordError(_expected("a whole number", value, where))
    if kind in {str, Path}:
        if isinstance(value, str):
            return kind(value)
        raise RecordError(_expected("a text", value, where))
    if kind is bool:
        if isinstance(value, bool):
            return value
        raise RecordError(_expected("true or false", value, where))
    if kind is type(None):
        if value is None:
            return None
        raise RecordError(_expected("null", value, where))
    raise TypeError(f"Expected a type that JSON has, got {kind!r}.")


def _enum(kind: type[Enum], value: Any, where: str) -> Enum:
    words = [member.value for member in kind]
    if isinstance(value, str) and value in words:
        return kind(value)
    raise RecordError(_expected(f"one of {', '.join(words)}", value, where))


def _marked(kind: Any, mark: object, value: Any, where: str) -> Any:
    if isinstance(mark, Keys):
        found = _mapping(get_args(kind), value, where, known=mark.names)
        if mark.required and (absent := [name for name in mark.names if name not in found]):
            raise RecordError(f"{where} lacks {absent[0]}")
        return found
    if isinstance(mark, AlwaysFinite):
        number = parse(kind, value, where)
        if value is None or not math.isfinite(number):
            raise RecordError(_expected("a finite number", value, where))
        return number
    if isinstance(mark, PlainValue):
        parts = value if isinstance(value, list) else [value]
        fits = [isinstance(part, str if parts is value else str | bool | int | float | None) for part in parts]
        if not all(fits):
            raise RecordError(_expected("a text, a number, true, false, null or a list of texts", value, where))
        return value
    raise TypeError(f"Expected a mark of vitequiv.results.marks, got {mark!r}.")


def _union(parts: Sequence[Any], value: Any, where: str) -> Any:
    if value is None and type(None) in parts:
        return None
    fault: RecordError | None = None
    for part in parts:
        if part is not type(None):
            try:
                return parse(part, value, where)
            except RecordError as error:
                fault = error
    raise fault or RecordError(_expected("null", value, where))


def _mapping(parts: Sequence[Any], value: Any, where: str, known: Sequence[str] | None = None) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise RecordError(_expected("an object", value, where))
    key_kind, kind = parts
    found: dict[Any, Any] = {}
    for key, one in value.items():
        strange = known is not None and key not in known
        number = key_kind is int and not (key.isascii() and key.isdigit() and len(key) < len(str(LARGEST)))
        if strange or number or not _resembles(kind, one):
            continue
        found[int(key) if key_kind is int else key] = parse(kind, one, f"{where}.{_short(key)}")
    return found


def _short(key: str) -> str:
    return ascii(key[:SHOWN])[1:-1]


def _resembles(kind: Any, value: Any) -> bool:
    """Whether an entry may be one of ours, be it damaged: not an object with none of its keys, from a later version."""
    if not (isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(value, Mapping)):
        return True
    return any(key_of(field) in value for field in dataclasses.fields(kind))


def _array(parts: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise RecordError(_expected("a list", value, where))
    if len(parts) == 1 or parts[1] is Ellipsis:
        kinds: Sequence[Any] = [parts[0]] * len(value)
    elif len(value) == len(parts):
        kinds = parts
    else:
        raise RecordError(f"{where} has {len(value)} entries, where {len(parts)} are expected")
    return tuple(parse(kind, one, f"{where}[{i}]") for i, (kind, one) in enumerate(zip(kinds, value, strict=True)))
