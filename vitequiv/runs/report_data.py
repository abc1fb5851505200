"""Collecting what a report shows from the folders of earlier runs; no model is needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from vitequiv.errors import ImageError, UsageError
from vitequiv.files.reading import open_regular, read_regular
from vitequiv.images.decode import load_image
from vitequiv.images.difference import difference_image
from vitequiv.images.folders import is_folder
from vitequiv.images.naming import shown
from vitequiv.results.classify import MatchRowRecord
from vitequiv.results.classify_record import ClassifyRecord
from vitequiv.results.envelope import Envelope
from vitequiv.results.reading import artifact, read_envelope
from vitequiv.results.statistics_record import Rate, StatisticsRecord
from vitequiv.results.versions import LaterSchemaError
from vitequiv.runs.failures import reason
from vitequiv.runs.inside import is_inside
from vitequiv.runs.saved_matches import JSON_NAME, SavedMatch, as_match

MAX_FIGURE_BYTES = 1 << 26
"""Largest plot that is inlined; ours have a thousandth of this."""
Levels = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MatchView:
    """One match as a report shows it.

    Args:
        where: Its folder, as it is called in the report.
        match: What its JSON says.
        start: The source at the model's input size, (H, W, 3).
        matched: The 8-bit result, likewise.
        difference: Their difference, amplified.
        target: The target's file, fitted to that size for looking at; None if it cannot be read any more, is another
            file than it was or was named without its digest, or if the target was no image.
        embeddings: `start`, `saved` and `target`, (n,) each; without `start` if the match did not save it.
    """

    where: str
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

    @property
    def status(self) -> str:
        """How it ended, in words."""
        return self.match.envelope.status.replace("_", " ")

    def number(self, group: str, name: str) -> float | None:
        """A number of its result; None if it is not there, NaN or infinite."""
        found = getattr(getattr(self.match.envelope.result, group), name)
        return found if found is not None and math.isfinite(found) else None


@dataclass(frozen=True, eq=False)
class ClassView:
    """One classification.

    Args:
        where: Its folder, as it is called in the report.
        kind: `zero-shot`, `head` or `prototypes`.
        labels: The classes.
        names: The images.
        roles: Their roles.
        probabilities: (B, C).
        matches: Rows before and after, as in `classify.json`.
    """

    where: str
    kind: str
    labels: Sequence[str]
    names: Sequence[str]
    roles: Sequence[str]
    probabilities: Floats
    matches: Sequence[MatchRowRecord]


@dataclass(frozen=True, eq=False)
class StatisticsView:
    """Statistics of random pairs.

    Args:
        where: Its folder, as it is called in the report.
        message: How it ended.
        figure: Its `statistics.png`; None if that could not be drawn.
        rates: As in `statistics.json`.
    """

    where: str
    message: str
    figure: bytes | None
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
    models: Models = {}
    failures: list[tuple[str, str]] = []
    later: list[tuple[str, str]] = []
    readers: Mapping[str, Reader] = {"match": _add_match, "classify": _add_classes, "statistics": _add_statistics}
    for verb, add in readers.items():
        name = f"{verb}.json"
        for path in sorted(directory.rglob(name)):
            where = shown(path.parent.relative_to(directory)) if path.parent != directory else "."
            try:
                envelope = _read(path, verb, directory)
                if envelope.result is not None:
                    add(_model_of(models, envelope), where, path.parent, envelope)
                if envelope.status != "converged":
                    failures.append((where, f"{envelope.status.replace('_', ' ')}: {envelope.message}"))
            except LaterSchemaError as error:
                later.append((where, f"{name} cannot be shown: {error}"))
            except Exception as error:  # whatever an edited or older file makes of itself
                failures.append((where, f"{name} cannot be shown: {reason(error)}"))
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


Models = dict[tuple[str, str, str, int], ModelView]
Reader = Callable[[ModelView, str, Path, Envelope], None]


def _read(path: Path, verb: str, directory: Path) -> Envelope:
    """An item's JSON, if it is in the directory that was named."""
    if not is_inside(path, directory):
        raise ValueError("it is a link, which is not followed")
    return read_envelope(path, verb)


def _model_of(models: Models, envelope: Envelope) -> ModelView:
    """The model of an item; by its dimension too, so that no edited one spoils the figure of the others."""
    model = envelope.model
    key = (model.spec, model.readout, model.weights_sha256, model.embedding_dim)
    return models.setdefault(key, ModelView(*key[:3]))


def _incomplete(directory: Path) -> list[tuple[str, str]]:
    """Folders of matches that were interrupted: their JSON, which is written last, is missing."""
    unfinished = sorted(
        path.parent for path in directory.rglob("matched.png") if not (path.parent / JSON_NAME).exists()
    )
    message = "incomplete: the run was interrupted before match.json was written"
    return [(shown(path.relative_to(directory)), message) for path in unfinished]


def _add_match(model: ModelView, where: str, folder: Path, envelope: Envelope) -> None:
    match = as_match(folder, envelope)
    tensors = _tensors(match.artifact("tensors"), envelope)
    start, matched = (_levels(tensors[name]) for name in PICTURES)
    embeddings = {
        name: np.asarray(tensors[f"embedding_{name}"], dtype=np.float64)
        for name in ("start", "saved", "target")
        if f"embedding_{name}" in tensors
    }
    size = (start.shape[1], start.shape[0])
    target = _thumbnail(match.target, match.target_sha256, size)
    model.matches.append(MatchView(where, match, start, matched, difference_image(start, matched), target, embeddings))


PICTURES = ("start", "pixels")
LARGEST = 1e100
"""Beyond it numbers do not bear being squared."""
MAX_SIDE = 4096
"""Of a model's input, in pixels."""


def _levels(pixels: NDArray[np.floating]) -> Levels:
    levels: Levels = np.rint(np.clip(pixels, 0, 1).transpose(1, 2, 0) * 255).astype(np.uint8)
    return levels


def _tensors(path: Path, envelope: Envelope) -> dict[str, NDArray[np.floating]]:
    """The tensors of a match that are shown, held to what its JSON says of the model."""
    from safetensors import SafetensorError, safe_open

    height, width = envelope.model.input_size
    if not (0 < height <= MAX_SIDE and 0 < width <= MAX_SIDE):
        raise ValueError(f"match.json says that the model's input has {height} x {width} pixels")
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(PICTURES, (3, height, width))
    shapes |= dict.fromkeys(("embedding_start", "embedding_saved", "embedding_target"), (envelope.model.embedding_dim,))
    found = {}
    open_regular(path).close()  # a pipe would be waited for
    try:
        with safe_open(path, framework="numpy") as file:
            there = set(file.keys())
            for name, shape in shapes.items():
                if name not in there and name == "embedding_start":  # as written before it was saved
                    continue
                if tuple(file.get_slice(name).get_shape()) != shape:  # before anything large is read
                    raise ValueError(f"{path.name} holds a tensor {name} of another shape than match.json says")
                found[name] = file.get_tensor(name)
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{path.name} is damaged ({reason(error)})") from None
    for name, tensor in found.items():
        # Embeddings may hold NaN.
        finite = np.isfinite(tensor)
        if (name in PICTURES and not finite.all()) or float(np.abs(tensor[finite]).max(initial=0)) > LARGEST:
            raise ValueError(f"{path.name} holds a tensor {name} of numbers that no match writes")
    return found


def _thumbnail(path: Path | None, sha256: str | None, size: tuple[int, int]) -> Levels | None:
    """The target's picture; without a digest any file of this machine could be named, and none is shown."""
    if path is None or sha256 is None:
        return None
    try:
        image = load_image(path, sha256).image
    except ImageError:
        return None
    return np.asarray(ImageOps.fit(image, size, Image.Resampling.BICUBIC))


def _add_classes(model: ModelView, where: str, folder: Path, envelope: Envelope) -> None:
    del folder
    result: ClassifyRecord = envelope.result
    model.classes.append(
        ClassView(
            where=where,
            kind=result.classifier.kind,
            labels=[shown(label) for label in result.classifier.labels],
            names=[image.name for image in result.images],
            roles=[image.role for image in result.images],
            probabilities=np.array(result.probabilities, dtype=np.float64),
            matches=result.matches,
        )
    )


def _add_statistics(model: ModelView, where: str, folder: Path, envelope: Envelope) -> None:
    result: StatisticsRecord = envelope.result
    figure = None
    if (plot := envelope.artifacts.get("plot")) is not None:
        figure = read_regular(artifact(folder, plot), MAX_FIGURE_BYTES)
        if not figure.startswith(b"\x89PNG\r\n\x1a\n"):
            raise ValueError("its plot is no PNG")
    model.statistics.append(StatisticsView(where, envelope.message, figure, result.rates))
