"""Class names that a person would take for one."""

from __future__ import annotations

import pytest

from vitequiv.classification.choice import check_labels
from vitequiv.errors import UsageError


@pytest.mark.parametrize(
    "names",
    [["Cat", "cat"], ["a  cat", "a cat"], ["café", "cafe\u0301"], ["STRASSE", "straße"], ["dog", "cat", "DOG"]],
)
def test_names_that_differ_only_to_a_machine(names):
    with pytest.raises(UsageError, match="differ only in case, spaces or spelling of accents"):
        check_labels(names, "--labels")


@pytest.mark.parametrize("names", [["cat", "cats"], ["cafe", "café"], ["a cat", "acat"]])
def test_names_that_differ(names):
    check_labels(names, "--labels")
