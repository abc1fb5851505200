"""The output directory: one folder an item, whole once its JSON is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vitequiv.errors import OutputError, UsageError
from vitequiv.images.save import TEMPORARY, save_json
from vitequiv.results.envelope import Envelope
from vitequiv.runs.inside import is_inside, make_inside, require_inside

JOURNAL_NAME = "results.jsonl"
RECORD_SUFFIX = ".run.json"
PARTS_SUFFIX = ".parts"


@dataclass(frozen=True)
class RunDirectory:
    """Where a run of one verb writes.

    Args:
        path: The directory.
        verb: The verb, which names the JSON file.
    """

    path: Path
    verb: str

    def prepare(self, items: Iterable[str], overwrite: bool, resume: bool = False) -> None:
        """Make the directory, before anything costly is done.

        Args:
            items: The items to come.
            overwrite: Whether results that are there may be replaced.
            resume: Whether results that are there are to be kept, if they are what would come out again.

        Raises:
            UsageError: If the directory cannot be made or written to, or holds results of these items and both
                `overwrite` and `resume` are false.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            # A name of its own, made anew: one that is there may be a link to a file elsewhere.
            descriptor, probe = tempfile.mkstemp(prefix=".vitequiv-", dir=self.path)
            os.close(descriptor)
            Path(probe).unlink()
        except OSError as error:
            raise UsageError(
                f"Cannot write to the directory {self.path}: {error.strerror}; choose another --out."
            ) from None
        clear_temporary(self.path)
        first, present = "", 0
        for name in items if not resume else ():
            result = self.result(name)
            try:
                if overwrite:
                    require_inside(result.parent, self.path)
                    # All of them now, so that an item which fails this time does not leave an older result standing.
                    result.unlink(missing_ok=True)
                elif result.exists():
                    first, present = first or name, present + 1
            except OSError as error:
                raise UsageError(
                    f"Cannot write to {self.path / name}: {error.strerror}; move it or choose another --out."
                ) from None
        if overwrite:
            remove_parts(self)
        elif self.parts.exists() and not resume and not present:
            raise UsageError(
                f"An interrupted run has left {self.parts}: go on from there with --resume, begin anew with "
                "--overwrite, or choose another --out."
            )
        if present:
            more = f" and {present - 1} more" if present > 1 else ""
            raise UsageError(
                f"Results are there already in {self.path / first}{more}: keep them with --resume, replace them with "
                "--overwrite, or choose another --out."
            )

    def result(self, item: str) -> Path:
        """Where an item's JSON is once the item is whole.

        Args:
            item: The item's name.

        Returns:
            The file.
        """
        return self.path / item / f"{self.verb}.json"

    @property
    def journal(self) -> Path:
        """The list of items that ended, shared by the verbs."""
        return self.path / JOURNAL_NAME

    @property
    def parts(self) -> Path:
        """What an interrupted run leaves of an item in hand, for `--resume`."""
        return self.path / f"{self.verb}{PARTS_SUFFIX}"

    @property
    def record(self) -> Path:
        """What the verb's latest run here was begun with."""
        return self.path / f"{self.verb}{RECORD_SUFFIX}"

    def discard(self, item: str) -> None:
        """Make an item not whole any more, if it was.

        Args:
            item: The item's name.

        Raises:
            OutputError: If its JSON cannot be removed, or is not in the run's directory.
        """
        require_inside(self.path / item, self.path)
        try:
            self.result(item).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot write to {self.path / item}: {error.strerror}; choose another --out.") from None

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
            make_inside(folder, self.path)
            self.result(item).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"Cannot write to {folder}: {error.strerror}; choose another --out.") from None
        clear_temporary(folder)
        return folder

    def finish(self, envelope: Envelope) -> None:
        """Write an item's JSON, last of its files: its presence means that the item is whole.

        Args:
            envelope: The item.
        """
        save_json(self.result(envelope.item), envelope.to_dict())


def remove_parts(out: RunDirectory) -> None:
    """Remove what an interrupted run has left of an item in hand.

    Args:
        out: The run's directory.
    """
    if is_inside(out.parts, out.path):
        shutil.rmtree(out.parts, ignore_errors=True)  # it does not follow links within


def clear_temporary(folder: Path) -> None:
    """Remove the half-written files of a run that was killed; runs that live are kept out by the lock.

    Args:
        folder: Where; its sub-folders are left alone.
    """
    for path in folder.glob(TEMPORARY):
        with suppress(OSError):
            path.unlink()
