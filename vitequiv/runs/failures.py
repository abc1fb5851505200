"""What to say of an exception that one item raised."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """The first line of an exception's text.

    Args:
        error: Any exception.

    Returns:
        One line; the exception's type if it says nothing.
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
