"""Finding and reading what `vitequiv match` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vitequiv.errors import ImageError
from vitequiv.images.folders import is_folder, is_there
from vitequiv.images.naming import shown
from vitequiv.results.envelope import Envelope
from vitequiv.results.reading import artifact, read_envelope
from vitequiv.runs.failures import reason
from vitequiv.runs.inside import is_inside

JSON_NAME = "match.json"


@dataclass(frozen=True)
class SavedMatch:
    """One match on disk.

    Args:
        folder: Its folder.
        name: Source and target, SOURCE → TARGET.
        source: The source's file; None for a start at noise.
        source_sha256: Its digest at the time; None if none was written down, and then nobody can say which file it was.
        target: The target's image file; None if the target was a text, an embedding or a mean.
        target_sha256: Its digest at the time; None likewise.
        target_name: What the target is called.
        envelope: The whole of `match.json`; its result is a `MatchRecord`.
    """

    folder: Path
    name: str
    source: Path | None
    source_sha256: str | None
    target: Path | None
    target_sha256: str | None
    target_name: str
    envelope: Envelope

    @property
    def matched_in(self) -> str:
        """Spec of the encoder."""
        return self.envelope.model.spec

    def artifact(self, name: str) -> Path:
        """Find an artifact.

        Args:
            name: Its key in `match.json`.

        Returns:
            The file.

        Raises:
            ImageError: If `match.json` names none, or it leads out of its folder.
        """
        try:
            return artifact(self.folder, self.envelope.artifacts.get(name))
        except ValueError as error:
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


def read_match(folder: Path, within: Path | None = None) -> SavedMatch:
    """Read a match.

    Args:
        folder: Its folder.
        within: The folder that was named, if it is another.

    Returns:
        What it says, with the images still where it names them.

    Raises:
        ImageError: If its JSON cannot be read, is not that of a match, or leads out of the folder that was named.
    """
    path = folder / JSON_NAME
    if not is_inside(path, within or folder):
        raise ImageError(f"{shown(path)} cannot be read: it is, or its folder is, a link that leads elsewhere.")
    try:
        return as_match(folder, read_envelope(path, "match"))
    except ValueError as error:
        raise ImageError(f"{shown(path)} cannot be read: {reason(error)}.") from None


def as_match(folder: Path, envelope: Envelope) -> SavedMatch:
    """Look at an envelope as a match.

    Args:
        folder: Its folder.
        envelope: What `match.json` holds.

    Returns:
        The match.

    Raises:
        ValueError: If it has no result, or names no target or no file.
    """
    if envelope.result is None:
        raise ValueError("it has no result")
    artifact(folder, envelope.artifacts.get("matched"))
    source = next((entry for entry in envelope.inputs if entry.role == "source"), None)
    source_path, source_sha256 = (Path(source.path), source.sha256) if source else (None, None)
    target, target_sha256, target_name = _target(envelope)
    name = f"{shown(source_path.stem) if source_path else 'noise'} → {target_name}"
    return SavedMatch(folder, name, source_path, source_sha256, target, target_sha256, target_name, envelope)


def _target(envelope: Envelope) -> tuple[Path | None, str | None, str]:
    """The image file of the target and its digest, or None twice, and what it is called."""
    targets = [entry for entry in envelope.inputs if entry.role == "target"]
    if not targets:
        raise ValueError("it names no target")
    text, embedding, mean = (
        setting and setting.value
        for setting in (envelope.settings.get(f"target_{kind}") for kind in ("text", "embedding", "mean"))
    )
    path = targets[0].path
    if text is not None:
        return None, None, f"“{shown(path)}”"
    if embedding is not None:
        return None, None, shown("/".join(Path(path).parts[-2:]))
    if mean is not None:
        return None, None, f"mean of {len(targets)}"
    return Path(path), targets[0].sha256, shown(Path(path).stem)
