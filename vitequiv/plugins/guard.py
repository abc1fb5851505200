"""A plugin's own code, run so that whatever it raises is said to be the plugin's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vitequiv.errors import PluginError, VitequivError
from vitequiv.plugins.kinds import Kind, T
from vitequiv.plugins.loading import BUILTIN, one_line
from vitequiv.plugins.registry import Registered


def title(kind: Kind[T], found: Registered[T]) -> str:
    """Name a thing and its owner.

    Args:
        kind: Its kind.
        found: The thing.

    Returns:
        For example `The solver 'momentum' of vitequiv-methods`, to begin a sentence with.
    """
    return f"The {kind.word} {found.thing.name!r} of {found.owner.name}"


@contextmanager
def blaming(what: str) -> Iterator[None]:
    """Run a plugin's code.

    Args:
        what: Its title.

    Yields:
        Nothing.

    Raises:
        PluginError: If it raises; but what says that memory ran out, or was written for users, passes as it is.
    """
    try:
        yield
    except BaseException as error:  # a plugin may call sys.exit
        if not isinstance(error, Exception | SystemExit) or _passes(error):
            raise
        raise PluginError(f"{what} failed: {one_line(error).rstrip('.')}.") from None


def _passes(error: BaseException) -> bool:
    """Whether an error was written for users, or says that memory ran out."""
    # Imported here, for listings do not wait for torch.
    from vitequiv.memory import is_out_of_memory

    return isinstance(error, VitequivError) or is_out_of_memory(error)


@dataclass(frozen=True)
class Blamed:
    """A plugin's function that names the plugin when it raises; of a generator, while it is gone through too.

    Args:
        function: The function.
        what: The plugin's title.
    """

    function: Callable[..., Any]
    what: str

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        with blaming(self.what):
            made = self.function(*arguments)
        return self._through(made) if isinstance(made, Iterator) else made

    def _through(self, items: Iterator[Any]) -> Iterator[Any]:
        while True:
            with blaming(self.what):
                try:
                    item = next(items)
                except StopIteration:
                    return
            yield item


def is_builtin(found: Registered[Any]) -> bool:
    """Whether a thing comes with vitequiv."""
    return found.owner == BUILTIN
