"""Whatever a plugin's code raises is said to be the plugin's, but for what is meant for users or for the engine."""

from __future__ import annotations

import pickle

import pytest
import torch

from vitequiv.errors import ImageError, PluginError
from vitequiv.plugins.guard import Blamed, blaming

WHAT = "The path 'mine' of somebody"


@pytest.mark.parametrize("error", [RuntimeError("two\nlines"), KeyError("k"), SystemExit(3), AssertionError()])
def test_its_errors_name_it_on_one_line(error):
    with pytest.raises(PluginError) as failed, blaming(WHAT):
        raise error
    assert failed.value.message.startswith(f"{WHAT} failed: {type(error).__name__}")
    assert "\n" not in failed.value.message


@pytest.mark.parametrize(
    "error",
    [
        ImageError("written for users"),
        MemoryError(),
        torch.OutOfMemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        KeyboardInterrupt(),
    ],
)
def test_what_is_not_its_own_passes(error):
    with pytest.raises(type(error)) as passed, blaming(WHAT):
        raise error
    assert passed.value is error


def late(count):
    yield from range(count)
    raise ValueError("at the end")


def test_a_generator_is_blamed_while_it_is_gone_through():
    items = Blamed(late, WHAT)(2)
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(PluginError, match="somebody failed: ValueError: at the end"):
        next(items)
    assert Blamed(list, WHAT)("ab") == ["a", "b"]


def test_it_can_go_to_another_process():
    assert pickle.loads(pickle.dumps(Blamed(late, WHAT))) == Blamed(late, WHAT)
