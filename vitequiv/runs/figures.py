"""Figures of one item: one that cannot be drawn is a note, and costs nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from vitequiv.images.save import atomic_write_bytes
from vitequiv.runs.failures import reason


class Figures:
    """Draws an item's figures, and writes those that could be drawn.

    `draw` is handed functions that also import what they draw with: a broken matplotlib is a note too.
    """

    def __init__(self) -> None:
        self._drawn: dict[str, bytes] = {}
        self._lost: list[str] = []
        self._notes: list[str] = []

    def draw(self, name: str, draw: Callable[[], bytes]) -> bool:
        """Draw a figure.

        Args:
            name: Its file.
            draw: From nothing to the file's bytes.

        Returns:
            Whether it could be drawn.
        """
        try:
            self._drawn[name] = draw()
        except Exception as error:
            self._lost.append(name)
            self._notes.append(f"The figure {name} could not be drawn: {reason(error)}")
            return False
        return True

    def write(self, folder: Path) -> None:
        """Write what was drawn, and remove what an earlier run left in place of what was not.

        Args:
            folder: The item's folder.

        Raises:
            OutputError: If a file cannot be written.
        """
        for name, data in self._drawn.items():
            atomic_write_bytes(folder / name, data)
        for name in self._lost:
            with suppress(OSError):
                (folder / name).unlink()

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each that could not be drawn."""
        return tuple(self._notes)

    def artifacts(self, files: Mapping[str, str]) -> dict[str, str]:
        """The files of an item without those that could not be drawn.

        Args:
            files: All that it may have, by what they are.

        Returns:
            The rest.
        """
        return {key: file for key, file in files.items() if file not in self._lost}
