"""Whether an item of an earlier run need not be done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from vitequiv.errors import OutputError
from vitequiv.files.reading import FileError, NoFileError, sha256_of
from vitequiv.images.naming import shown
from vitequiv.results.envelope import Envelope, InputRecord
from vitequiv.results.reading import artifact, read_envelope
from vitequiv.results.status import Status
from vitequiv.results.versions import LaterSchemaError, SchemaError
from vitequiv.runs.changes import changed_model, differences
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.meanings import Made


@dataclass(frozen=True)
class Verdict:
    """What to make of an item's folder.

    Args:
        kept: Its envelope if it is whole and what would come out again.
        note: Why it is done again, or what could not be checked, if that is worth saying.
    """

    kept: Envelope | None = None
    note: str = ""


def judge(out: RunDirectory, name: str, inputs: Sequence[InputRecord], context: RunContext) -> Verdict:
    """Judge an item's folder.

    Args:
        out: The run's directory.
        name: The item.
        inputs: The files that it would read now.
        context: What the items share now.

    Returns:
        The verdict; an item that converged, stalled, ran out of passes or became infinite would do so again and is
        kept; one that failed is tried again.

    Raises:
        OutputError: If a later vitequiv wrote what is there; it is left alone.
    """
    path = out.result(name)
    if path.is_symlink():
        return Verdict(note=f"{shown(path)} is a link, which is not followed: done again.")
    try:
        envelope = read_envelope(path, out.verb)
    except NoFileError:
        return Verdict()
    except LaterSchemaError as error:
        raise OutputError(f"{shown(path)} cannot be resumed: {error}, or choose another --out.") from None
    except SchemaError as error:
        return Verdict(note=f"{shown(path)} is damaged or the result of something else ({error}): done again.")
    except ValueError as error:
        return Verdict(note=f"{shown(path)} is damaged ({error}): done again.")
    if envelope.item != name:
        return Verdict(note=f"{shown(path)} is the result of something else: done again.")
    if envelope.status is Status.FAILED:
        return Verdict()
    for file in envelope.artifacts.values():
        try:
            found = artifact(path.parent, file)
            if not (found.is_file() or found.is_dir()):  # a pipe in its place is none
                return Verdict(note=f"{name}: {shown(file)} is gone: done again.")
        except ValueError as error:
            return Verdict(note=f"{name}: {error}: done again.")
    made = Made(envelope.environment.device, envelope.model.readout)
    makes = Made(context.environment.device, context.model.readout)
    if changes := differences(envelope.settings, context.settings, made, makes):
        return Verdict(note=f"{name} is of an earlier run ({'; '.join(changes)}): done again.")
    if other := changed_model(envelope.model, context.model):
        return Verdict(note=f"{name} was made with {other}: done again.")
    digests = [(record, record.sha256 or digest(record.path)) for record in inputs]
    before = [_identity(record, record.sha256, out.verb) for record in envelope.inputs]
    gone = next((record for record, sha256 in digests if sha256 is None), None)
    if [_identity(r, s, out.verb) for r, s in digests] != before:
        if gone is not None and [r.role for r in inputs] == [role for role, *_ in before]:
            return Verdict(envelope, f"{name}: {shown(gone.path)} cannot be read any more; its result is kept.")
        return Verdict(note=f"{name}: an input has changed: done again.")
    return Verdict(envelope)


def _identity(record: InputRecord, sha256: str | None, verb: str) -> tuple[str, str | None, str | None]:
    """What must be the same of an input: its use, what is in it, and its class where its folder names that."""
    named = record.role == "prototype" or verb == "statistics"
    # From here, for a name without a folder is one in this.
    return record.role, sha256, Path(record.path).absolute().parent.name if named else None


def digest(path: str) -> str | None:
    """Hash a file.

    Args:
        path: The file.

    Returns:
        The SHA-256 of its bytes; None if it cannot be read, or is no regular file.
    """
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return None
    return _digest(path, status.st_mtime_ns, status.st_size, status.st_ino)


@lru_cache(maxsize=256)  # one target may be the input of thousands of items
def _digest(path: str, *version: int) -> str | None:
    del version
    try:
        return sha256_of(Path(path))
    except FileError:
        return None
