"""Collecting what a report shows from the folders of earlier runs; no model is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vitequiv.errors import ImageError, UsageError
from vitequiv.images.decode import load_image
from vitequiv.images.folders import is_folder
from vitequiv.images.naming import shown
from vitequiv.plots.match import difference_image
from vitequiv.results.reading import artifact, read_json, read_regular
from vitequiv.results.statistics_record import Rate, read_rates
from vitequiv.results.versions import LaterSchemaError, require_schema
from vitequiv.runs.failures import reason
from vitequiv.runs.saved_matches import JSON_NAME, SavedMatch, read_match

MAX_FIGURE_BYTES = 1 << 26
"""Largest plot that is inlined; ours have a thousandth of this."""
Levels = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MatchView:
    """One match as a report shows it.

    Args:
        match: What its JSON says.
        start: The source at the model's input size, (H, W, 3).
        matched: The 8-bit result, likewise.
        difference: Their difference, amplified.
        target: The target's file, fitted to that size for looking at; None if it cannot be read any more, or if the
            target was no image.
        embeddings: `start`, `saved` and `target`, (n,) each; without `start` if the match did not save it.
    """

    match: SavedMatch
    start: Levels
    matched: Levels
    difference: Levels
    target: Levels | None
    embeddings: Mapping[str, Floats]

    @property
    def source_name(self) -> str:
        """What the source is called."""
        return shown(self.match.source.stem) if self.match.source else "noise"

    @property
    def target_name(self) -> str:
        """What the target is called."""
        return self.match.target_name

    def number(self, *keys: str) -> float | None:
        """A number of `result` in its JSON; None if it is not there or null."""
        found: Any = self.match.record["result"]
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return float(found) if isinstance(found, int | float) else None


@dataclass(frozen=True, eq=False)
class ClassView:
    """One classification.

    Args:
        kind: `zero-shot`, `head` or `prototypes`.
        labels: The classes.
        names: The images.
        roles: Their roles.
        probabilities: (B, C).
        matches: Rows before and after, as in `classify.json`.
    """

    kind: str
    labels: Sequence[str]
    names: Sequence[str]
    roles: Sequence[str]
    probabilities: Floats
    matches: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class StatisticsView:
    """Statistics of random pairs.

    Args:
        message: How it ended.
        figure: Its `statistics.png`.
        rates: As in `statistics.json`.
    """

    message: str
    figure: bytes
    rates: Mapping[str, Rate]


@dataclass(frozen=True, eq=False)
class ModelView:
    """Everything of one model.

    Args:
        spec: The model.
        readout: Which vector is the embedding.
        weights_sha256: Its weights.
        matches: Its matches.
        classes: Classifications by it.
        statistics: Statistics of random pairs in it.
    """

    spec: str
    readout: str
    weights_sha256: str
    matches: list[MatchView] = field(default_factory=list)
    classes: list[ClassView] = field(default_factory=list)
    statistics: list[StatisticsView] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class Report:
    """Everything in a directory.

    Args:
        directory: The directory.
        models: By model, in the order found.
        failures: What is there but cannot be shown, or failed, with the reason.
    """

    directory: Path
    models: Sequence[ModelView]
    failures: Sequence[tuple[str, str]]


def collect(directory: Path) -> Report:
    """Read the results of earlier runs.

    Args:
        directory: A folder that holds results, at any depth.

    Returns:
        What there is to show.

    Raises:
        UsageError: If there is no such folder, nothing in it, or nothing but results of a later vitequiv.
    """
    if not is_folder(directory):
        raise UsageError(f"There is no folder {shown(directory)}: name the --out of an earlier run.")
    models: dict[tuple[str, str, str], ModelView] = {}
    failures: list[tuple[str, str]] = []
    later: list[tuple[str, str]] = []
    readers = {JSON_NAME: _add_match, "classify.json": _add_classes, "statistics.json": _add_statistics}
    for name, add in readers.items():
        for path in sorted(directory.rglob(name)):
            where = shown(path.parent.relative_to(directory)) if path.parent != directory else "."
            try:
                record = read_json(path)
                require_schema(record, name.removesuffix(".json"))
                about = record["model"]
                key = (str(about["spec"]), str(about["readout"]), str(about["weights_sha256"]))
                add(models.setdefault(key, ModelView(*key)), path.parent, record)
                if record["status"] != "converged":
                    failures.append((where, f"{record['status'].replace('_', ' ')}: {record['message']}"))
            except LaterSchemaError as error:
                later.append((where, f"{name} cannot be shown: {error}"))
            except ImageError as error:
                failures.append((where, error.message))
            except Exception as error:  # whatever an edited or older file makes of itself
                failures.append((where, f"{name} cannot be shown ({type(error).__name__}: {reason(error)})"))
    shown_models = [model for model in models.values() if model.matches or model.classes or model.statistics]
    if later and not shown_models and not failures:
        raise UsageError(f"In {shown(directory / later[0][0])}, {later[0][1]}.")
    failures += [*later, *_incomplete(directory)]
    if not shown_models and not failures:
        raise UsageError(
            f"There is nothing to report in {shown(directory)}: it holds no match.json, classify.json or "
            "statistics.json; name the --out of an earlier run."
        )
    return Report(directory, shown_models, failures)


def _incomplete(directory: Path) -> list[tuple[str, str]]:
    """Folders of matches that were interrupted: their JSON, which is written last, is missing."""
    unfinished = sorted(
        path.parent for path in directory.rglob("matched.png") if not (path.parent / JSON_NAME).exists()
    )
    message = "incomplete: the run was interrupted before match.json was written"
    return [(shown(path.relative_to(directory)), message) for path in unfinished]


def _add_match(model: ModelView, folder: Path, record: dict[str, Any]) -> None:
    from safetensors.numpy import load_file

    del record
    match = read_match(folder)
    stored = match.artifact("tensors")
    if not stored.is_file():  # a pipe would be waited for
        raise ImageError(f"There is no file {shown(stored)}: run the match again.")
    tensors = load_file(stored)
    start, matched = (np.rint(tensors[name].transpose(1, 2, 0) * 255).astype(np.uint8) for name in ("start", "pixels"))
    embeddings = {
        name: np.asarray(tensors[f"embedding_{name}"], dtype=np.float64)
        for name in ("start", "saved", "target")
        if f"embedding_{name}" in tensors
    }
    size = (start.shape[1], start.shape[0])
    target = _thumbnail(match.target, match.target_sha256, size) if match.target else None
    model.matches.append(MatchView(match, start, matched, difference_image(start, matched), target, embeddings))


def _thumbnail(path: Path, sha256: str | None, size: tuple[int, int]) -> Levels | None:
    try:
        image = load_image(path)
    except ImageError:
        return None
    if sha256 is not None and image.sha256 != sha256:
        return None
    return np.asarray(ImageOps.fit(image.image, size, Image.Resampling.BICUBIC))


def _add_classes(model: ModelView, folder: Path, record: dict[str, Any]) -> None:
    del folder
    result = record["result"]
    model.classes.append(
        ClassView(
            kind=str(result["classifier"]["kind"]),
            labels=[shown(label) for label in result["classifier"]["labels"]],
            names=[str(image["name"]) for image in result["images"]],
            roles=[str(image["role"]) for image in result["images"]],
            probabilities=np.array(result["probabilities"], dtype=np.float64),
            matches=result["matches"],
        )
    )


def _add_statistics(model: ModelView, folder: Path, record: dict[str, Any]) -> None:
    figure = read_regular(artifact(folder, record["artifacts"]["plot"]), MAX_FIGURE_BYTES)
    if not figure.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError("its plot is no PNG")
    model.statistics.append(StatisticsView(str(record["message"]), figure, read_rates(record["result"]["rates"])))
