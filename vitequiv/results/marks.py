"""What the annotation of a field in a JSON record says beyond its type; read by `vitequiv.results.schemas`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any


@dataclass(frozen=True)
class Keys:
    """The keys of a mapping.

    Args:
        names: All that it may have.
        required: Whether it always has all of them.
    """

    names: tuple[str, ...]
    required: bool = True


@dataclass(frozen=True)
class AlwaysFinite:
    """A number that is never NaN or infinite, and so never null in JSON."""


@dataclass(frozen=True)
class PlainValue:
    """A string, number, boolean or null, or a list of strings."""


Finite = Annotated[float, AlwaysFinite()]
Plain = Annotated[Any, PlainValue()]
Quantiles = Annotated[Mapping[str, float], Keys(("5%", "25%", "50%", "75%", "95%"))]
