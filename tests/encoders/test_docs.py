"""docs/reference/models.md says what the registry says."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitequiv.plugins.builtin import FAMILIES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "models.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_the_table_of_families(family):
    first = next(row for row in PAGE.splitlines() if row.startswith(f"| `{family.name}` |")).split("|")[2:]
    checkpoint, default, others = (cell.strip() for cell in first[:3])
    assert checkpoint == (f"`{family.default_checkpoint}`" if family.default_checkpoint else "(name one)")
    assert default.startswith(f"`{family.default_readout}`")
    assert [name for name in family.readouts[1:] if f"`{name}`" in others] == list(family.readouts[1:])
    assert others.count("`") == 2 * len(family.readouts[1:])
