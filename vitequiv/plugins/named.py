"""What everything that a plugin registers has: a name that users type, and a line that says what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME_PATTERN = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Named:
    """A thing with a name.

    Args:
        name: What users type; lower case, digits, `-` and `_`.
        summary: One line for `vitequiv plugins list`.

    Raises:
        ValueError: If the name is not of that form, or the summary is no string.
    """

    name: str
    summary: str

    def __post_init__(self) -> None:
        what = type(self).__name__
        if not isinstance(self.name, str) or not NAME_PATTERN.fullmatch(self.name):
            raise ValueError(
                f"The name of a {what} is lower case letters, digits, '-' and '_', starting with a letter: "
                f"got {self.name!r}."
            )
        if not isinstance(self.summary, str):
            raise ValueError(f"The summary of the {what} {self.name!r} must be a string: got {self.summary!r}.")

    def require_callable(self, field: str) -> None:
        """Refuse a field that is no function.

        Args:
            field: The field.

        Raises:
            ValueError: If it is none.
        """
        if not callable(value := getattr(self, field)):
            raise ValueError(f"{field} of the {type(self).__name__} {self.name!r} must be callable: got {value!r}.")
