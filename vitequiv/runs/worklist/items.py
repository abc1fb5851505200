"""What is to be done: an image, a pair, a model, or a row that cannot be made out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from vitequiv.runs.target_choice import EmbeddingTarget, TextTarget


@dataclass(frozen=True)
class Pair:
    """One match to do.

    Args:
        name: The item's name: a plain file name, unique in the run.
        source: Where to start; None for noise.
        target: Whose embedding to match; None if that is no image.
        given: The target, no image, of this pair alone; None if it has an image or the run has one for all.
    """

    name: str
    source: Path | None
    target: Path | None
    given: TextTarget | EmbeddingTarget | None = None


@dataclass(frozen=True)
class Item:
    """One image to look at.

    Args:
        name: The item's name: a plain file name, unique in the run.
        path: The image.
    """

    name: str
    path: Path


@dataclass(frozen=True)
class ModelItem:
    """One model to look at, for verbs whose item is all that is done in it.

    Args:
        name: The item's name: a plain file name, unique in the run.
    """

    name: str


@dataclass(frozen=True)
class Broken:
    """An item that cannot be made out, for example a row of a pairs file without a target.

    Args:
        name: The item's name, unique in the run.
        message: Why, in a sentence.
    """

    name: str
    message: str


I_co = TypeVar("I_co", covariant=True)


@dataclass(frozen=True)
class WorkList(Generic[I_co]):
    """What is to be done, in order.

    Args:
        read: Reads the list from its beginning, an item at a time.
        live: Whether the list comes from a pipe: its end is not known, and it can be read but once.
    """

    read: Callable[[], Iterator[I_co | Broken]]
    live: bool = False
