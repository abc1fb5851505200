"""The errors a user can meet, and the exit code each stands for.

Misuse by a programmer raises `ValueError` or `TypeError`; numerical failure is a `Status`, not an exception. What is
left, a wish the tool cannot fulfil, is a `VitequivError`: one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns to the shell."""

    OK = 0
    """All items done and converged."""
    INTERNAL = 1
    """A bug in vitequiv."""
    USAGE = 2
    """The command line, a configuration file or a pairs file cannot be understood or acted on."""
    ITEM_FAILED = 3
    """Some item failed or did not converge."""
    MODEL_UNAVAILABLE = 4
    """The model or its weights cannot be had."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM."""


class VitequivError(Exception):
    """Base of all errors whose text is meant for the user.

    Args:
        message: One sentence: what is wrong, where, and what to do.
    """

    exit_code: ExitCode = ExitCode.ITEM_FAILED

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class UsageError(VitequivError):
    """The request itself is at fault: options, names, configuration."""

    exit_code = ExitCode.USAGE


class ImageError(VitequivError):
    """One image cannot be read or used."""


class OutputError(VitequivError):
    """A result cannot be written."""


class ModelError(VitequivError):
    """A model is unknown, its weights are missing or damaged, or it fails its probe."""

    exit_code = ExitCode.MODEL_UNAVAILABLE


class ResourceError(VitequivError):
    """One item needs more than this machine has."""
