"""What was made lately, kept for the next time as long as there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Recent(Generic[Value]):
    """Values by key, of which those not asked for longest make room for others.

    Args:
        room: Bytes kept at most; a value that is larger than all of it is not kept.
        size: Bytes of a value.
    """

    def __init__(self, room: int, size: Callable[[Value], int]) -> None:
        self._room = room
        self._size = size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._held = 0

    @property
    def held(self) -> int:
        """Bytes kept now."""
        return self._held

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """Find a value or make it.

        Args:
            key: Its name.
            make: Makes it; what that raises is raised, and nothing kept.

        Returns:
            The value.
        """
        if key in self._values:
            self._values.move_to_end(key)
            return self._values[key]
        value = make()
        self.keep(key, value)
        return value

    def keep(self, key: Hashable, value: Value) -> None:
        """Keep a value.

        Args:
            key: Its name, which is none of those kept.
            value: The value.
        """
        self._values[key] = value
        self._held += self._size(value)
        while self._held > self._room:
            _, oldest = self._values.popitem(last=False)
            self._held -= self._size(oldest)
