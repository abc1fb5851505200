"""Reading what an earlier run wrote: it may have been edited, or planted, since."""

from __future__ import annotations

from pathlib import Path

from vitequiv.files.links import leads_inside
from vitequiv.files.reading import read_json
from vitequiv.results.envelope import Envelope
from vitequiv.results.versions import require_schema


def read_envelope(path: Path, verb: str) -> Envelope:
    """Read an item's JSON.

    Args:
        path: The file.
        verb: The verb that should have written it.

    Returns:
        The envelope, its result the verb's dataclass.

    Raises:
        NoFileError: If there is none.
        ValueError: If it cannot be read, or is not what the verb writes: a `FileError`, `LaterSchemaError`,
            `SchemaError` or `RecordError`, whose text is a clause for after a colon.
    """
    record = read_json(path)
    require_schema(record, verb)
    return Envelope.from_dict(record)


def artifact(folder: Path, name: object) -> Path:
    """Find a file that a result names.

    Args:
        folder: The result's folder.
        name: What its JSON calls the file.

    Returns:
        The path.

    Raises:
        ValueError: If the name leads out of the folder, or the file is a link that does.
    """
    if not isinstance(name, str) or name in {"", ".", ".."} or Path(name).name != name or "\0" in name:
        raise ValueError(f"its JSON names {name!r}, which is no file of its folder")
    path = folder / name
    if not leads_inside(path, folder):
        raise ValueError(f"its {name} is a link that leads out of its folder")
    return path
