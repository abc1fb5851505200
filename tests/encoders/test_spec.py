"""Any spec is parsed or refused in a sentence, and none is taken for a path by accident."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vitequiv.encoders.spec import parse_spec
from vitequiv.errors import ModelError
from vitequiv.plugins.kinds import ENCODER
from vitequiv.plugins.registry import load_registry
from vitequiv.runs.worklist.names import plain

REGISTRY = load_registry(ENCODER, [])


@settings(deadline=None)
@given(st.text(max_size=80))
@example("beit:../../etc")
@example("\x1b[31m:\n")
@example(":")
def test_any_text(text):
    try:
        spec = parse_spec(text)
    except ModelError as error:
        message = error.message
    else:
        message = ""
        assert spec.name == spec.name.lower()
        assert spec.name
        assert ":" not in spec.name
        assert spec.checkpoint != ""
    assert "\n" not in message
    name = plain(text)
    assert "/" not in name
    assert name not in {"", ".", ".."}
    assert not name.startswith((".", "-"))


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40).filter(lambda name: name.strip().lower() not in REGISTRY.entries))
def test_an_unknown_name_is_a_sentence(name):
    with pytest.raises(ModelError) as error:
        REGISTRY.get(name)
    assert "\n" not in error.value.message
