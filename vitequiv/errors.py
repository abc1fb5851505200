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
    """Usage: the command line, a configuration file or a pairs file cannot be understood or acted on; the directory is
    in use by another run, or was begun with other settings or weights; standard output is closed."""
    ITEM_FAILED = 3
    """Some item failed or did not converge, or standard output could not be written (a full disk)."""
    MODEL_UNAVAILABLE = 4
    """The model or its weights cannot be had, or failed the load-time probe."""
    INTERRUPTED = 130
    """Interrupted by Ctrl-C or SIGTERM; what was computed is written, and `--resume` goes on."""
    READER_GONE = 141
    """The reader of standard output went away (`| head`): nothing is said, and the run stops at the next line; what is
    complete stays. It is what a shell shows of any tool that ends so, 128 + SIGPIPE."""


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


class UnknownNameError(UsageError, ValueError):
    """Nobody has registered this name; a `ValueError` too, for the program that gave it."""


class PluginError(VitequivError):
    """A plugin's own code raised, or returned something else than it promised."""
