"""The kinds of things that can be registered; light, for the command line's help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from vitequiv.encoders.families import EncoderFamily
from vitequiv.errors import ModelError, UnknownNameError, VitequivError
from vitequiv.geometry.named import NamedDirections
from vitequiv.matching.named import NamedSolver
from vitequiv.paths.named import NamedPath


class HasName(Protocol):
    """Whatever can be registered."""

    @property
    def name(self) -> str:
        """What users type."""

    @property
    def summary(self) -> str:
        """One line for listings."""


T = TypeVar("T", bound=HasName)


@dataclass(frozen=True)
class Kind(Generic[T]):
    """One kind.

    Args:
        word: What users call one of them.
        hook: The hook that registers them.
        accepts: What `register` takes.
        error: Raised for a name that nobody has registered.
        listing: The command that shows them.
    """

    word: str
    hook: str
    accepts: type[T]
    error: type[VitequivError] = UnknownNameError
    listing: str = "vitequiv plugins list"


ENCODER = Kind("model", "vitequiv_register_encoders", EncoderFamily, ModelError, "vitequiv models list")
SOLVER = Kind("solver", "vitequiv_register_solvers", NamedSolver)
DIRECTIONS = Kind("group of directions", "vitequiv_register_directions", NamedDirections)
PATH = Kind("path", "vitequiv_register_paths", NamedPath)

KINDS: tuple[Kind[Any], ...] = (ENCODER, SOLVER, DIRECTIONS, PATH)
