"""One model after the other, each loaded once; one that cannot be had does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from vitequiv.cli.console import print_error
from vitequiv.errors import ExitCode, UsageError, VitequivError
from vitequiv.runs.worklist.names import plain, unique

if TYPE_CHECKING:
    from vitequiv.encoders.base import Encoder


def model_items(models: Sequence[str]) -> list[str]:
    """Name the folder of each model.

    Args:
        models: Specs.

    Returns:
        Plain file names, all different.

    Raises:
        UsageError: If there is none, or one is named twice.
    """
    if not models:
        raise UsageError("Name at least one --model.")
    twice = next((spec for i, spec in enumerate(models) if spec in models[:i]), None)
    if twice is not None:
        raise UsageError(f"--model names {twice} twice: once is enough.")
    return unique(plain(spec) for spec in models)


def for_each_model(
    models: Sequence[str], load: Callable[[str], Encoder], work: Callable[[Encoder, str], None]
) -> ExitCode:
    """Load each model and work with it.

    Args:
        models: Specs.
        load: From a spec to an encoder.
        work: Told the encoder and its item.

    Returns:
        OK, or the code of the first failure; each has been printed.

    Raises:
        VitequivError: If there is only one model and it fails.
    """
    code = ExitCode.OK
    for spec, item in zip(models, model_items(models), strict=True):
        try:
            work(load(spec), item)
        except VitequivError as error:
            if len(models) == 1:
                raise
            print_error(error.message)
            code = code or error.exit_code
    return code
