"""The envelope as plain JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import pytest

from vitequiv.results.cost import Cost
from vitequiv.results.envelope import Envelope, InputRecord, ModelRecord, jsonable
from vitequiv.results.environment import describe_environment
from vitequiv.results.settings import Setting, Source
from vitequiv.results.status import Status


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: float
    names: tuple[str, ...]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (math.nan, None),
        (math.inf, None),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (Colour.RED, "red"),
        (Status.STALLED, "stalled"),
        (Path("a/b"), "a/b"),
        ((1, [2, (3,)]), [1, [2, [3]]]),
        ({"a": {1: math.nan}}, {"a": {"1": None}}),
        (Point(math.inf, ("p",)), {"x": None, "names": ["p"]}),
    ],
)
def test_jsonable(value, plain):
    assert jsonable(value) == plain
    json.dumps(jsonable(value), allow_nan=False)


def test_jsonable_refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match="Expected a plain value"):
        jsonable({"a": object()})


def test_the_keys_are_the_contracts_in_order():
    envelope = Envelope(
        verb="match",
        item="a_to_b",
        status=Status.CONVERGED,
        message="The goal was met.",
        inputs=(InputRecord("source", "a.png", "00", ("rotated",)),),
        model=ModelRecord("beit:DIR", "beit", "DIR", "pooler", 768, (224, 224), "ff"),
        settings={"seed": Setting(0, Source.DEFAULT)},
        cost=Cost(3, 2, 1, 0.5, 100.0),
        environment=describe_environment("cpu", "float32", 0),
    )
    plain = envelope.to_dict()
    assert list(plain) == [
        "schema",
        "item",
        "status",
        "message",
        "inputs",
        "model",
        "settings",
        "cost",
        "environment",
        "result",
        "artifacts",
    ]
    assert plain["schema"] == "vitequiv/match/1"
    assert plain["inputs"] == [{"role": "source", "path": "a.png", "sha256": "00", "notes": ["rotated"]}]
    assert plain["settings"] == {"seed": {"value": 0, "source": "default"}}
    assert plain["cost"] == {
        "forwards": 3, "vjps": 2, "jvps": 1, "passes": 6, "seconds": 0.5, "peak_memory_mb": 100.0,
    }  # fmt: skip
    assert plain["model"]["input_size"] == [224, 224]
    assert {"vitequiv", "python", "torch", "pillow"} <= set(plain["environment"]["versions"])
    assert plain["result"] is None


def test_every_status_has_a_sentence():
    assert all(status.sentence.endswith(".") for status in Status)
