"""Drawing pairs of images from folders, strictly at random."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vitequiv.classification.choice import class_name, find_classes
from vitequiv.errors import UsageError
from vitequiv.images.folders import images_in


@dataclass(frozen=True)
class Candidate:
    """An image that may be drawn.

    Args:
        path: The file.
        folder: The class that its folder names; None where folders are no classes.
    """

    path: Path
    folder: str | None


def find_candidates(folders: Sequence[str]) -> list[Candidate]:
    """List the images of folders.

    Args:
        folders: Each either holds images, or a folder of images a class (underscores in names are spaces).

    Returns:
        The images, in the order of the folders and sorted within; a file named through two folders once.

    Raises:
        UsageError: If one is no folder or holds no image, or some hold classes and others images.
    """
    if not folders:
        raise UsageError("Name at least one FOLDER of images, or of a folder of images a class.")
    found: list[Candidate] = []
    for text in folders:
        folder = Path(text)
        classes = find_classes(folder) if text else None
        if classes is None:
            raise UsageError(f"There is no folder {text!r}: pairs are drawn from the images of folders.")
        here = [Candidate(path, None) for path in images_in(folder)]
        here = here or [Candidate(path, class_name(name)) for name, images in classes for path in images]
        if not here:
            raise UsageError(f"The folder {text} holds no image, and no folder of images.")
        found += here
    if len({candidate.folder is None for candidate in found}) > 1:
        raise UsageError("Some of the folders hold images and others class folders: give one kind.")
    return list({candidate.path.resolve(): candidate for candidate in found}.values())


def draw_pairs(
    candidates: Sequence[Candidate], count: int, seed: int, different_class: bool
) -> list[tuple[Candidate, Candidate]]:
    """Draw pairs uniformly, without replacement.

    Args:
        candidates: The images.
        count: Pairs to draw.
        seed: Seed; the same seed and images give the same pairs on every platform.
        different_class: Draw only pairs of two classes.

    Returns:
        Ordered pairs (source, target) of two different images, each pair at most once, in the order drawn.

    Raises:
        UsageError: If there are not as many, or classes are asked for and there are none.
    """
    total = len(candidates)
    available = total * (total - 1)
    if different_class:
        if any(candidate.folder is None for candidate in candidates):
            raise UsageError("--different-class needs to know the classes: give a folder with a folder of images each.")
        available = total**2 - sum(n**2 for n in Counter(candidate.folder for candidate in candidates).values())
    if count > available:
        across = " across classes" if different_class else ""
        raise UsageError(
            f"--count {count} is more than the {available} pairs of {total} images{across}: lower it or add images."
        )
    generator = random.Random(seed)
    drawn: dict[tuple[int, int], None] = {}
    while len(drawn) < count:
        # Of all of `random`, Python promises the sequence of random() alone to stay as it is.
        first, second = (int(generator.random() * total) for _ in range(2))
        one_class = candidates[first].folder == candidates[second].folder
        if first != second and not (different_class and one_class):
            drawn[first, second] = None
    return [(candidates[first], candidates[second]) for first, second in drawn]
