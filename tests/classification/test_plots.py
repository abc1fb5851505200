"""What the matrix shows: structure, not pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from vitequiv.plots.classify import CROWDED, chosen_columns, draw_matrix, matrix_png, short

pytestmark = pytest.mark.draws


def test_few_classes_are_all_drawn():
    assert chosen_columns(np.eye(3, 20)) == list(range(20))


def test_of_many_classes_those_that_can_be_seen():
    values = np.zeros((3, 1000))
    values[0, 700], values[0, 3] = 0.9, 0.1
    values[1, 999] = 0.996
    values[1, 5] = 0.004  # would be an empty column
    values[2, 3] = 1.0
    assert chosen_columns(values) == [3, 700, 999]
    flat = np.full((2, 1000), 1e-3)
    assert len(chosen_columns(flat)) == 2
    spread = np.tile(np.linspace(0.01, 0.03, 50), (2, 1))
    assert chosen_columns(spread) == list(range(30, 50))


@pytest.mark.parametrize(
    ("name", "longest", "expected"),
    [
        ("short", 28, "short"),
        ("x" * 30, 10, "xxxxxxxxx…"),
        ("abcdefghij → klmnopqrst", 11, "abc… → klm…"),
        ("ab → klmnopqrstuvwxyz", 12, "ab → klmnop…"),
        ("abcdefghijklmnop → yz", 12, "abcdef… → yz"),
    ],
)
def test_long_names_keep_both_ends_of_a_match(name, longest, expected):
    assert short(name, longest) == expected
    assert len(short(name, longest)) <= longest


@pytest.mark.parametrize("columns", [4, CROWDED + 1])
def test_axes_are_named_and_dollars_are_dollars(columns):
    axes = Figure().subplots()
    rows, names = ["a$x^2$", "b → c"], [f"${i}$" for i in range(columns)]
    values = np.zeros((2, columns))
    values[0, 1], values[1, 0] = 1.0, 0.25
    draw_matrix(axes, values, rows, names)
    assert [label.get_text() for label in axes.get_yticklabels()] == rows
    assert [label.get_text() for label in axes.get_xticklabels()] == names
    assert not any(label.get_parse_math() for label in (*axes.get_xticklabels(), *axes.get_yticklabels()))
    assert sorted(text.get_text() for text in axes.texts) == [".25", "1"]


@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (3, 1000), (200, 5)])
def test_a_picture_of_any_size(rows, columns):
    probabilities = torch.rand((rows, columns), generator=torch.Generator().manual_seed(0)).softmax(1)
    png = matrix_png([f"image {i}" for i in range(rows)], [f"class {i}" for i in range(columns)], probabilities, "$t$")
    with Image.open(io.BytesIO(png)) as picture:
        assert picture.format == "PNG"
        assert all(200 < side < 2600 for side in picture.size)
