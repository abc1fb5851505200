"""Pairs files: what a row may name, and what is said of one that will not do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from vitequiv.errors import UsageError
from vitequiv.runs.target_choice import EmbeddingTarget, TextTarget
from vitequiv.runs.worklist.items import Broken, Pair
from vitequiv.runs.worklist.pairs_file import ANY_TARGET, IMAGES, pairs_from_csv


@pytest.mark.parametrize(
    ("text", "columns", "pairs"),
    [
        ("source,target\na.png,b.png\n", IMAGES, [Pair("a_to_b", Path("a.png"), Path("b.png"))]),
        ("target,name,source\nb.png,x,a.png\n", ANY_TARGET, [Pair("x", Path("a.png"), Path("b.png"))]),
        ("source,target,,\na.png,b.png,,\n", IMAGES, [Pair("a_to_b", Path("a.png"), Path("b.png"))]),
        ("source,target,target_text\na.png,b.png,x\n", IMAGES, [Pair("a_to_b", Path("a.png"), Path("b.png"))]),
        (
            'source,target_text\na.png,"red, round"\n',
            ANY_TARGET,
            [Pair("a_to_red_round", Path("a.png"), None, TextTarget("red, round"))],
        ),
        (
            "source,target_embedding\na.png,e.safetensors#t\na.png,e.safetensors\n",
            ANY_TARGET,
            [
                Pair("a_to_e_t", Path("a.png"), None, EmbeddingTarget(Path("e.safetensors"), "t")),
                Pair("a_to_e", Path("a.png"), None, EmbeddingTarget(Path("e.safetensors"), None)),
            ],
        ),
        (
            "source,target,target_text,target_embedding,name\na.png,b.png,,,\na.png,,b,,\na.png,,,b,\na.png,,c,,mine\n",
            ANY_TARGET,
            [
                Pair("a_to_b", Path("a.png"), Path("b.png")),
                Pair("a_to_b-2", Path("a.png"), None, TextTarget("b")),
                Pair("a_to_b-3", Path("a.png"), None, EmbeddingTarget(Path("b"), None)),
                Pair("mine", Path("a.png"), None, TextTarget("c")),
            ],
        ),
    ],
)
def test_rows(tmp_path, text, columns, pairs):
    (tmp_path / "p.csv").write_text(text)
    assert list(pairs_from_csv(tmp_path / "p.csv", columns).read()) == pairs


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("", ANY_TARGET, "has no rows"),
        ("source,target\n", ANY_TARGET, "has no rows"),
        ("from,to\na,b\n", IMAGES, r"columns source,target\[,name\] in its first line\.$"),
        ("from,to\na,b\n", ANY_TARGET, "with target_text or target_embedding beside target or in its place"),
        ("source,target_text\na,b\n", IMAGES, "must name its columns source,target"),
        ("target_text\nb\n", ANY_TARGET, "must name its columns source,target"),
        ("source,target\na,b\na,\n", IMAGES, r"^Row 3 of the pairs file .* lacks a source or a target\.$"),
        ("source,target_text\na,b\n,b\n", ANY_TARGET, "^Row 3 .* lacks a source or a target"),
        ("source,target_text\na,b\na, \n", ANY_TARGET, "^Row 3 .* lacks .*target, target_text, target_embedding"),
        ("source,target,target_text\na,b,\na,b,c\n", ANY_TARGET, "^Row 3 .* names 2 targets, target and target_text"),
        (
            "source,target,target_text,target_embedding\na,b,c,d\n",
            ANY_TARGET,
            "^Row 2 .* names 3 targets, target and target_text and target_embedding",
        ),
        ("source,target_text\na,a cat, a dog\n", ANY_TARGET, "^Row 2 .* has more cells than .* in quotes"),
        ("source,target_embedding\na,e#\n", ANY_TARGET, "^Row 2 .* FILE or FILE#TENSOR, not 'e#'"),
        ("source,target_embedding\na,#e\n", ANY_TARGET, "^Row 2 .* FILE or FILE#TENSOR, not '#e'"),
        ("source,target\na\0,b\n", ANY_TARGET, "Row 2|not CSV"),
        ("source,target_embedding\na,e\0f\n", ANY_TARGET, "Row 2|not CSV"),
        ('source,target\n"a,b\n', ANY_TARGET, "is not CSV"),
    ],
)
def test_what_will_not_do_is_one_sentence(tmp_path, text, columns, message):
    (tmp_path / "p.csv").write_text(text)
    try:
        found = list(pairs_from_csv(tmp_path / "p.csv", columns).read())
    except UsageError as error:  # of the first row or the whole file
        said = error.message
        assert not said.startswith("Row 3")
    else:
        said = next(item.message for item in found if isinstance(item, Broken))
        assert len(found) == 2
        assert said.startswith("Row 3")
    assert re.search(message, said)
    assert "\n" not in said
