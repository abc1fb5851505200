"""Finding and reading what `vitequiv match` wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitequiv.errors import ImageError
from vitequiv.images.naming import shown

JSON_NAME = "match.json"


@dataclass(frozen=True)
class SavedMatch:
    """One match on disk.

    Args:
        folder: Its folder.
        name: Source and target, SOURCE → TARGET.
        matched_in: Spec of the encoder.
        source: The source's file; None for a start at noise.
        source_sha256: Its digest at the time.
        target: The target's file.
        target_sha256: Its digest at the time.
        record: The whole of `match.json`.
    """

    folder: Path
    name: str
    matched_in: str
    source: Path | None
    source_sha256: str | None
    target: Path
    target_sha256: str | None
    record: dict[str, Any]

    def artifact(self, name: str) -> Path:
        """The file of an artifact; its key is that of `match.json`."""
        return self.folder / str(self.record["artifacts"][name])


def match_folders(path: Path) -> list[Path]:
    """Find saved matches.

    Args:
        path: Any path.

    Returns:
        The path itself if it is the folder of a match, else those of its sub-folders that are, sorted.
    """
    if (path / JSON_NAME).is_file():
        return [path]
    return sorted(json_file.parent for json_file in path.glob(f"*/{JSON_NAME}")) if path.is_dir() else []


def read_match(folder: Path) -> SavedMatch:
    """Read a match.

    Args:
        folder: Its folder.

    Returns:
        What it says, with the images still where it names them.

    Raises:
        ImageError: If its JSON cannot be read or is not that of a match.
    """
    path = folder / JSON_NAME
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not str(record["schema"]).startswith("vitequiv/match/1"):
            raise ImageError(f"{shown(path)} has the schema {record['schema']!r}: run the match again.")
        inputs = {entry["role"]: entry for entry in record["inputs"]}
        source, target = inputs.get("source"), inputs["target"]
        target_path, spec = Path(target["path"]), str(record["model"]["spec"])
        source_path = Path(source["path"]) if source else None
        target_sha256, source_sha256 = target["sha256"], source["sha256"] if source else None
        record["artifacts"]["matched"]
    except OSError as error:
        raise ImageError(f"{shown(path)} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ImageError(
            f"{shown(path)} is not what vitequiv match writes ({type(error).__name__}): run the match again."
        ) from None
    name = f"{shown(source_path.stem) if source_path else 'noise'} → {shown(target_path.stem)}"
    return SavedMatch(folder, name, spec, source_path, source_sha256, target_path, target_sha256, record)
