"""Finding and reading what `vitequiv match` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitequiv.errors import ImageError
from vitequiv.images.folders import is_folder, is_there
from vitequiv.images.naming import shown
from vitequiv.results.reading import artifact, read_json
from vitequiv.results.versions import LaterSchemaError, require_schema
from vitequiv.runs.failures import reason

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
        target: The target's image file; None if the target was a text, an embedding or a mean.
        target_sha256: Its digest at the time; None likewise.
        target_name: What the target is called.
        record: The whole of `match.json`.
    """

    folder: Path
    name: str
    matched_in: str
    source: Path | None
    source_sha256: str | None
    target: Path | None
    target_sha256: str | None
    target_name: str
    record: dict[str, Any]

    def artifact(self, name: str) -> Path:
        """Find an artifact.

        Args:
            name: Its key in `match.json`.

        Returns:
            The file.

        Raises:
            ImageError: If `match.json` names none, or one outside of its folder.
        """
        try:
            return artifact(self.folder, self.record["artifacts"][name])
        except (KeyError, ValueError) as error:
            raise ImageError(f"{shown(self.folder / JSON_NAME)} cannot be used: {reason(error)}.") from None


def match_folders(path: Path) -> list[Path]:
    """Find saved matches.

    Args:
        path: Any path.

    Returns:
        The path itself if it is the folder of a match, else those of its sub-folders that are, sorted.
    """
    if not is_folder(path):
        return []
    if is_there(path / JSON_NAME):
        return [path]
    return sorted(json_file.parent for json_file in path.glob(f"*/{JSON_NAME}"))


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
        record = read_json(path)
        require_schema(record, "match")
        source = next((entry for entry in record["inputs"] if entry["role"] == "source"), None)
        source_path, source_sha256 = (Path(source["path"]), source["sha256"]) if source else (None, None)
        target, target_sha256, target_name = _target(record)
        spec = str(record["model"]["spec"])
        artifact(folder, record["artifacts"]["matched"])
    except OSError as error:
        raise ImageError(f"{shown(path)} cannot be read: {error.strerror}.") from None
    except LaterSchemaError as error:
        raise ImageError(f"{shown(path)} cannot be read: {error}.") from None
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ImageError(
            f"{shown(path)} is not what vitequiv match writes ({type(error).__name__}): run the match again."
        ) from None
    name = f"{shown(source_path.stem) if source_path else 'noise'} → {target_name}"
    return SavedMatch(folder, name, spec, source_path, source_sha256, target, target_sha256, target_name, record)


def _target(record: dict[str, Any]) -> tuple[Path | None, str | None, str]:
    """The image file of the target and its digest, or None twice, and what it is called."""
    targets = [entry for entry in record["inputs"] if entry["role"] == "target"]
    settings = record["settings"]
    text, embedding, mean = (
        (settings.get(f"target_{kind}") or {}).get("value") for kind in ("text", "embedding", "mean")
    )
    path = str(targets[0]["path"])
    if text is not None:
        return None, None, f"“{shown(path)}”"
    if embedding is not None:
        return None, None, shown("/".join(Path(path).parts[-2:]))
    if mean is not None:
        return None, None, f"mean of {len(targets)}"
    return Path(path), targets[0]["sha256"], shown(Path(path).stem)
