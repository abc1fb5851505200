"""What to say of an exception that one item raised."""

from __future__ import annotations

from vitequiv.errors import VitequivError

OUT_OF_MEMORY = "does not fit into the memory even alone: free memory, or try --dtype bfloat16 or a smaller model"
"""What to say of one item that no halving can help; begins with its subject."""


def reason(error: BaseException) -> str:
    """The first line of an exception's text.

    Args:
        error: Any exception.

    Returns:
        One line; the exception's type if it says nothing.
    """
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def explain(error: BaseException, otherwise: str) -> str:
    """The sentence for an item that failed.

    Args:
        error: What it raised.
        otherwise: What to say before the reason of an error that was not written for users, without a colon.

    Returns:
        The error's own sentence if it was written for users, else `otherwise` and the reason.
    """
    if isinstance(error, VitequivError):
        return error.message
    # Imported here, for it needs torch, and help and usage errors do not wait for that.
    from vitequiv.memory import is_out_of_memory

    return f"{otherwise}: it {OUT_OF_MEMORY}." if is_out_of_memory(error) else f"{otherwise}: {reason(error)}"
