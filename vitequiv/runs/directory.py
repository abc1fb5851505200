"""The output directory: one folder an item, whole once its JSON is there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vitequiv.errors import OutputError, UsageError
from vitequiv.images.save import save_json
from vitequiv.results.envelope import Envelope


@dataclass(frozen=True)
class RunDirectory:
    """Where a run of one verb writes.

    Args:
        path: The directory.
        verb: The verb, which names the JSON file.
    """

    path: Path
    verb: str

    def prepare(self, items: Iterable[str], overwrite: bool) -> None:
        """Make the directory, before anything costly is done.

        Args:
            items: The items to come.
            overwrite: Whether results that are there may be replaced.

        Raises:
            UsageError: If the directory cannot be made or written to, or holds results of these items and `overwrite`
                is false.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe = self.path / ".vitequiv-writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UsageError(
                f"Cannot write to the directory {self.path}: {error.strerror}; choose another --out."
            ) from None
        present = []
        for name in items:
            result = self.path / name / f"{self.verb}.json"
            try:
                if overwrite:
                    # All of them now, so that an item which fails this time does not leave an older result standing.
                    result.unlink(missing_ok=True)
                elif result.exists():
                    present.append(name)
            except OSError as error:
                raise UsageError(
                    f"Cannot write to {self.path / name}: {error.strerror}; move it or choose another --out."
                ) from None
        if present:
            more = f" and {len(present) - 1} more" if len(present) > 1 else ""
            raise UsageError(
                f"Results are there already in {self.path / present[0]}{more}: "
                "replace them with --overwrite or choose another --out."
            )

    def begin(self, item: str) -> Path:
        """Open an item's folder; what was there is not whole any more.

        Args:
            item: The item's name.

        Returns:
            The folder.

        Raises:
            OutputError: If it cannot be made.
        """
        folder = self.path / item
        try:
            folder.mkdir(exist_ok=True)
            (folder / f"{self.verb}.json").unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot write to {folder}: {error.strerror}; choose another --out.") from None
        return folder

    def finish(self, envelope: Envelope) -> None:
        """Write an item's JSON, last of its files: its presence means that the item is whole.

        Args:
            envelope: The item.
        """
        save_json(self.path / envelope.item / f"{self.verb}.json", envelope.to_dict())
