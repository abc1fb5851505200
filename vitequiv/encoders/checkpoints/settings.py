"""Reading the settings of a checkpoint: which values may be handed on to a library, and how large they may be.

A number or a truth value can lead nowhere; a text or a map can name a file, a repository, a class or another option, so
each of those passes only under a key that its library's list has. Numbers are compared with the tensors in the weight
files before anything is made of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from vitequiv.encoders.checkpoints.held import Held
from vitequiv.errors import ModelError
from vitequiv.images.naming import shown

LONGEST_EDGE = 3072
"""Pixels of an input image's side."""

MOST_LABELS = 2**16
"""Where no tensor is longer."""

FEWEST_LAYERS = 64
"""Layers that are let pass whatever the weights hold: the library says which are missing."""

LONGEST_TEXT = 4096
"""Tokens; the square of it is made."""

ANY_NUMBER = 2**20
"""What a number may be that has no other limit, where no tensor is longer."""

DEEPEST = 8
"""Lists in lists."""

WORD = re.compile(r"[\w.+-]{0,64}", re.ASCII)
"""What names a choice of the library's: no path, no repository's owner, no prefix such as `hf-hub:`."""

_LAYERS = re.compile(r"(^|[._])(?<!per_)(layers?|depths?|blocks|repeats|stages)$")
_LABELS = re.compile(r"(^|[._])num_(labels|classes)$")
_IMAGE = re.compile(r"((image|img|input|crop|pad)_?(size|resolution)|(^|\.)size)(\.\w+)?$")
_TEXT = re.compile(r"(^|[._])context_length$")
_FREE = re.compile(r"theta|timescale|period|scale|temperature")


def words(text: str) -> frozenset[str]:
    """A list of keys, written as one text.

    Args:
        text: The keys, with spaces between them.

    Returns:
        The keys.
    """
    return frozenset(text.split())


def brief(value: object, longest: int = 60) -> str:
    """Write a value from a file in a message.

    Args:
        value: The value.
        longest: How many characters there may be.

    Returns:
        So many characters at most, all of which can be printed.
    """
    text = shown((value if isinstance(value, str) else repr(value))[: 2 * longest])
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


@dataclass(frozen=True)
class Settings:
    """One file of settings.

    Args:
        file: Its name.
        spec: The encoder spec.
        held: What the checkpoint's weights hold.
    """

    file: str
    spec: str
    held: Held

    def refuse(self, key: str, value: object, fault: str) -> ModelError:
        """Word the refusal of a value.

        Args:
            key: Its key, with those above it.
            value: The value.
            fault: What is wrong with it, and what to do.

        Returns:
            The error.
        """
        return ModelError(f"The {self.file} of {self.spec} sets {brief(key, 120)} to {brief(value)}, {fault}.")

    def is_plain(self, key: str, value: object, depth: int = 0) -> bool:
        """Returns whether it is a number, a truth value, nothing, or a list of those; raises if a number is too large.

        Args:
            key: Its key, with those above it.
            value: The value.
            depth: In how many lists it is.

        Raises:
            ModelError: If a number is too large for what the weights hold.
        """
        if isinstance(value, list):
            if depth > DEEPEST:
                return False
            plain = True
            for item in value:  # all of them: each may be too large
                plain = self.is_plain(key, item, depth + 1) and plain
            if plain and _LAYERS.search(key):
                self._check(key, sum(item for item in value if isinstance(item, int | float)), value)
            return plain
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check(key, value, value)
            return True
        return value is None or isinstance(value, bool)

    def word(self, key: str, value: object) -> str:
        """Take a choice of the library's.

        Args:
            key: Its key, with those above it.
            value: The value.

        Returns:
            The value.

        Raises:
            ModelError: If it is no text, or could be a path or a repository.
        """
        if isinstance(value, str) and WORD.fullmatch(value):
            return value
        raise self.refuse(key, value, "where a single word is expected: correct it")

    def section(self, key: str, value: object) -> dict[str, Any]:
        """Take a map.

        Args:
            key: Its key, with those above it.
            value: The value.

        Returns:
            The map; an empty one in place of nothing.

        Raises:
            ModelError: If it is something else.
        """
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        raise self.refuse(key, value, "where a map of settings is expected: correct it")

    def _check(self, key: str, number: float, value: object) -> None:
        limit, measure = self._limit(key)
        if not abs(number) <= limit and not _FREE.search(key):
            raise self.refuse(key, value, f"and {measure}: correct it, or fetch the checkpoint again")

    def _limit(self, key: str) -> tuple[float, str]:
        held = self.held
        if _IMAGE.search(key):
            return LONGEST_EDGE, f"images of no more than {LONGEST_EDGE} pixels a side are made"
        if _TEXT.search(key):
            return LONGEST_TEXT, f"texts of no more than {LONGEST_TEXT} tokens are read"
        if _LAYERS.search(key):
            return max(FEWEST_LAYERS, len(held.shapes)), f"the weights hold {held}"
        floor = MOST_LABELS if _LABELS.search(key) else ANY_NUMBER
        return max(floor, held.longest), f"the weights hold {held}"
