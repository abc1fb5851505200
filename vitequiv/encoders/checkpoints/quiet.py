"""Keeping third-party libraries off the terminal, and turning their exceptions into sentences."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from vitequiv.errors import ModelError, VitequivError

_LONGEST_REASON = 240


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what torch, transformers, open_clip and timm say while a model loads.

    What they would warn of and that matters (missing weights, a mismatched activation, ...) is checked for by the
    adapters, which raise. open_clip logs through the root logger, and the first such call would install a handler on it
    for good; a null handler keeps it from that.
    """
    root, null = logging.getLogger(), logging.NullHandler()
    root.addHandler(null)
    try:
        with warnings.catch_warnings(), _no_bars():
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"(timm|open_clip|transformers|torch)\.")
            warnings.filterwarnings(
                "ignore", category=DeprecationWarning, module=r"(timm|open_clip|transformers|torch)\."
            )
            yield
    finally:
        root.removeHandler(null)


@contextmanager
def _no_bars() -> Iterator[None]:
    """Silence transformers' and the hub's bars and logs, if these libraries are there already.

    Download bars stay where somebody watches standard error: a silent gigabyte looks like a hang.
    """
    hub = sys.modules.get("huggingface_hub.utils")
    mute_hub = hub is not None and not hub.are_progress_bars_disabled() and not sys.stderr.isatty()
    library = sys.modules.get("transformers.utils.logging")
    if library is not None:
        level, bars = library.get_verbosity(), library.is_progress_bar_enabled()
        library.set_verbosity_error()
        library.disable_progress_bar()
    if mute_hub:
        hub.disable_progress_bars()  # type: ignore[union-attr]
    try:
        yield
    finally:
        if mute_hub:
            hub.enable_progress_bars()  # type: ignore[union-attr]
        if library is not None:
            library.set_verbosity(level)
            if bars:
                library.enable_progress_bar()


@contextmanager
def loading(subject: str) -> Iterator[None]:
    """Run a library's loading code quietly; whatever it raises becomes a `ModelError` about `subject`.

    Args:
        subject: What is being loaded, as the sentence's beginning: "The checkpoint beit:DIR".

    Raises:
        ModelError: If anything goes wrong inside.
        VitequivError: Errors of ours pass through.
    """
    try:
        with quiet():
            yield
    except VitequivError:
        raise
    except SystemExit as error:  # a plugin's; the process is not its to end
        raise ModelError(f"{subject} cannot be loaded: its code called sys.exit({error.code!r}).") from error
    except Exception as error:
        raise ModelError(f"{subject} cannot be loaded: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """Shorten an exception's text to one line.

    Args:
        error: The exception.

    Returns:
        At most 240 characters without line breaks; the type's name if it has no text.
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 3] + "..."
