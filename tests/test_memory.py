"""What is finite."""

from __future__ import annotations

import pytest
import torch

from vitequiv.memory import all_finite


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_one_entry_that_is_not_finite_is_seen(bad, dtype):
    values = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    assert all_finite(values)
    values[3, 2] = bad
    assert not all_finite(values)


def test_nothing_is_finite():
    assert all_finite(torch.empty(0, 3))
