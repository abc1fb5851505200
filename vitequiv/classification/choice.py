"""Which classifier is wanted, as the command line says it; nothing heavy is needed to read that."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitequiv.classification.templates import check_templates
from vitequiv.errors import UsageError
from vitequiv.files.reading import FileError, read_text
from vitequiv.images.folders import entries, images_in, is_folder
from vitequiv.images.naming import shown
from vitequiv.results.names import ClassifierKind


@dataclass(frozen=True)
class ClassifierChoice:
    """A classifier to be made for any encoder.

    Args:
        kind: Which; None for the head of a checkpoint that has one.
        labels: Class names, for text.
        templates: Templates for them; empty for the default.
        examples: Class names and their images, for prototypes.
        temperature: Of the softmax over cosines; None for the default.
        labels_file: Where the class names were read, if it was from a file.
    """

    kind: ClassifierKind | None = None
    labels: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    examples: tuple[tuple[str, tuple[Path, ...]], ...] = ()
    temperature: float | None = None
    labels_file: Path | None = None


def choose(
    labels: str | None,
    labels_file: Path | None,
    templates: Sequence[str],
    head: bool,
    prototypes: Path | None,
    temperature: float | None,
) -> ClassifierChoice:
    """Read the classifier options.

    Args:
        labels: Class names separated by commas.
        labels_file: A file with a class name a line.
        templates: Sentences with `{}`.
        head: Whether the checkpoint's own classifier is wanted.
        prototypes: A folder with a folder of images a class.
        temperature: Of the softmax over cosines.

    Returns:
        The choice.

    Raises:
        UsageError: If more than one classifier is named, or one is not whole.
    """
    text = labels is not None or labels_file is not None
    if text + head + (prototypes is not None) > 1 or (labels is not None and labels_file is not None):
        raise UsageError("Name one classifier: --labels, --labels-file, --head or --prototypes.")
    if templates and not text:
        raise UsageError("--template goes with --labels or --labels-file: it is what a class name is put into.")
    if temperature is not None and not 0 < temperature < float("inf"):
        raise UsageError(f"--temperature must be a number above 0, got {temperature:g}.")
    if temperature is not None and head:
        raise UsageError("--temperature is for cosines (--labels, --prototypes): a head has logits of its own.")
    if text:
        names = _split(labels) if labels is not None else read_labels(labels_file or Path())
        check_labels(names, "--labels" if labels is not None else f"The labels file {labels_file}")
        check_templates(templates)
        return ClassifierChoice(
            ClassifierKind.ZERO_SHOT, tuple(names), tuple(templates), temperature=temperature, labels_file=labels_file
        )
    if prototypes is not None:
        return ClassifierChoice(ClassifierKind.PROTOTYPES, examples=class_folders(prototypes), temperature=temperature)
    return ClassifierChoice(ClassifierKind.HEAD if head else None, temperature=temperature)


def _split(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def read_labels(path: Path) -> list[str]:
    """Read a labels file.

    Args:
        path: UTF-8 text, a class name a line; empty lines do not count.

    Returns:
        The names, in order.

    Raises:
        UsageError: If it cannot be read, or is no regular file.
    """
    try:
        text = read_text(path)
    except FileError as fault:
        raise UsageError(f"The labels file {shown(path)} cannot be read: {fault}.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def check_labels(names: Sequence[str], where: str) -> None:
    """Make sure that there are classes to choose from, each once.

    Args:
        names: The class names.
        where: What named them, for messages.

    Raises:
        UsageError: If there are fewer than two, or one comes twice, be it with other capitals.
    """
    if len(names) < 2:
        has = f"names only {names[0]!r}" if names else "names no class"
        raise UsageError(f"{where} {has}: a classifier needs at least two to choose from.")
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        raise UsageError(f"{where} names {twice[0]!r}{more} twice: name each class once.")
    first: dict[str, str] = {}
    for name in names:
        other = first.setdefault(unicodedata.normalize("NFC", " ".join(name.split())).casefold(), name)
        if other != name:
            raise UsageError(
                f"{where} names {other!r} and {name!r}, which differ only in case, spaces or spelling of accents: "
                "name each class once."
            )


def class_folders(folder: Path) -> tuple[tuple[str, tuple[Path, ...]], ...]:
    """Find the classes of a folder.

    Args:
        folder: A folder with a folder of images a class.

    Returns:
        Class names (underscores in a folder's name are spaces) and their images, sorted.

    Raises:
        UsageError: If it is no folder, has fewer than two class folders, or one of them holds no image.
    """
    found = find_classes(folder)
    if found is None:
        raise UsageError(f"There is no folder {folder}: --prototypes takes a folder with a folder of images a class.")
    empty = [name for name, images in found if not images]
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        raise UsageError(f"The class folder {folder / empty[0]}{more} holds no image: fill or remove it.")
    classes = tuple((class_name(name), images) for name, images in found)
    if len(classes) < 2:
        has = f"only the class {classes[0][0]!r}" if classes else "no class folder"
        raise UsageError(f"The prototype folder {folder} has {has}: make a folder of images for each of two or more.")
    check_labels([name for name, _ in classes], f"The prototype folder {folder}")
    return classes


def find_classes(folder: Path) -> list[tuple[str, tuple[Path, ...]]] | None:
    """List the sub-folders of a folder with their images.

    Args:
        folder: Any path.

    Returns:
        Names of sub-folders (hidden ones left out) and the images in each, sorted; None if it is no folder.
    """
    if not is_folder(folder):
        return None
    subs = sorted(path for path in entries(folder) if path.is_dir() and not path.name.startswith("."))
    return [(sub.name, images_in(sub)) for sub in subs]


def class_name(folder: str) -> str:
    """What a class folder's name says: underscores are spaces."""
    return folder.replace("_", " ").strip()
