"""Drawing pairs: uniform, without replacement, the same everywhere."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vitequiv.errors import UsageError
from vitequiv.runs.draw import Candidate, draw_pairs, find_candidates

IMAGES = [Candidate(Path(f"{i}.png"), "ab"[i % 2]) for i in range(6)]


def indices(pairs) -> list[tuple[int, int]]:
    return [(int(source.path.stem), int(target.path.stem)) for source, target in pairs]


def test_the_same_pairs_everywhere():
    # By hand from random.Random(0).random(): 0.844, 0.758, 0.421, 0.259, 0.511, 0.405, 0.784, 0.303, 0.477, 0.583, ...
    assert indices(draw_pairs(IMAGES, 4, 0, False)) == [(5, 4), (2, 1), (3, 2), (4, 1)]


@pytest.mark.parametrize(("different_class", "available"), [(False, 30), (True, 18)])
def test_every_pair_is_drawn_once_when_all_are(different_class, available):
    pairs = indices(draw_pairs(IMAGES, available, 3, different_class))
    assert len(set(pairs)) == available
    assert all(first != second for first, second in pairs)
    if different_class:
        assert all(first % 2 != second % 2 for first, second in pairs)
    with pytest.raises(UsageError, match=str(available)):
        draw_pairs(IMAGES, available + 1, 3, different_class)


def test_first_pairs_are_uniform():
    counts = Counter(indices(draw_pairs(IMAGES, 1, seed, False))[0] for seed in range(3000))
    assert len(counts) == 30
    # Chi-square with 29 degrees of freedom: 99.99 % lie below 66; the seeds are fixed.
    assert sum((n - 100) ** 2 / 100 for n in counts.values()) < 66


def test_a_longer_draw_begins_as_the_shorter():
    assert draw_pairs(IMAGES, 20, 1, False)[:5] == draw_pairs(IMAGES, 5, 1, False)


@pytest.fixture
def tree(tmp_path):
    for name in ("flat/x.png", "flat/sub/y.png", "classes/red_star/1.png", "classes/ring/2.jpg", "bare/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "classes/.hidden").mkdir()
    return tmp_path


def test_folders_of_images_and_of_classes(tree):
    assert [(c.path.name, c.folder) for c in find_candidates([f"{tree}/flat"])] == [("x.png", None)]
    found = find_candidates([f"{tree}/classes", f"{tree}/classes/../classes"])
    assert [(c.path.name, c.folder) for c in found] == [("1.png", "red star"), ("2.jpg", "ring")]


@pytest.mark.parametrize(
    ("names", "match"),
    [
        ([], "at least one FOLDER"),
        (["absent"], "absent"),
        (["bare"], "no image"),
        (["flat", "classes"], "one kind"),
        (["flat/x.png"], "no folder"),
    ],
)
def test_what_no_pair_can_be_drawn_from(tree, names, match):
    with pytest.raises(UsageError, match=match):
        find_candidates([f"{tree}/{name}" for name in names])


def test_classes_are_needed_for_pairs_across_them():
    with pytest.raises(UsageError, match="--different-class"):
        draw_pairs([Candidate(Path("a"), None), Candidate(Path("b"), None)], 1, 0, True)
