"""The schema files: made from the dataclasses, and strict."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import pytest
from jsonschema import Draft202012Validator

from tests.results.make_earlier import EARLIER
from tests.schemas import check_new, faults, json_files, strict, validator
from vitequiv._version import __version__
from vitequiv.results import schemas
from vitequiv.results.envelope import jsonable
from vitequiv.results.marks import Finite, Keys
from vitequiv.results.match import Perturbation
from vitequiv.results.schemas import load_schema, schema_names
from vitequiv.results.schemas.describe import Definitions, parse_docstring
from vitequiv.results.schemas.outputs import RECORDS, make_schemas
from vitequiv.results.status import Status
from vitequiv.results.verbs import VERBS

FOLDER = Path(schemas.__file__).parent
WRITTEN = {
    **{verb: next((EARLIER / __version__).glob(f"*/{verb}.json")) for verb in VERBS},
    "run": EARLIER / __version__ / "match.run.json",
}
"""Real output of each kind that is written to a file."""


def written(kind: str) -> dict[str, Any]:
    record: dict[str, Any] = strict(WRITTEN[kind].read_text())
    assert faults(record) == []
    return record


def places(record: Any) -> Iterator[dict[str, Any]]:
    """All objects in a record, but for those whose keys are free."""
    if isinstance(record, list):
        for item in record[:2]:
            yield from places(item)
    elif isinstance(record, dict):
        yield record
        for key, value in record.items():
            if key == "settings":
                yield from value.values()
            elif key not in {"versions", "residuals", "artifacts", "groups"}:
                yield from places(value)


def test_the_files_are_what_the_dataclasses_say():
    files = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    assert files == make_schemas(), "make them again: python -m vitequiv.results.schemas"


def test_every_kind_has_a_file_that_is_a_schema():
    assert schema_names() == sorted(f"vitequiv/{kind}/1" for kind in (*VERBS, *RECORDS))
    for name in schema_names():
        schema = load_schema(name)
        Draft202012Validator.check_schema(schema)
        assert schema["title"] == name == schema["properties"]["schema"]["const"]
    with pytest.raises(ValueError, match="no schema 'vitequiv/match/2': choose from vitequiv/classify/1"):
        load_schema("vitequiv/match/2")


OPTIONAL = {"notes"}
"""Of an envelope: there only where there are some. Those of its inputs are always there."""


@pytest.mark.parametrize("name", schema_names())
def test_every_key_is_described_and_every_object_closed(name):
    def walk(schema: Any) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            yield schema
        for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
            yield from walk(inner)

    document = load_schema(name)
    records = [document, *document.get("$defs", {}).values()]
    for record in records:
        assert all(key["description"].strip() for key in record["properties"].values())
        optional = OPTIONAL if record is document else set()
        assert record["required"] == [key for key in record["properties"] if key not in optional]
    objects = [schema for schema in walk({**document, "if": {}, "then": {}}) if schema.get("type") == "object"]
    assert len(objects) >= len(records)
    assert all("additionalProperties" in schema for schema in objects)


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_missing_key_is_refused_wherever_it_is_missing(kind):
    record = written(kind)
    for place in places(record):
        for key in list(place):
            value = place.pop(key)
            with pytest.raises((AssertionError, KeyError)):  # without `schema` there is nothing to go by
                assert faults(record) == []
            place[key] = value
    assert faults(copy.deepcopy(record)) == []


@pytest.mark.parametrize("kind", WRITTEN)
def test_another_key_is_refused_everywhere(kind):
    record = written(kind)
    found = list(places(record))
    assert len(found) > 10
    for place in found:
        place["extra"] = 1
        assert faults(record)
        del place["extra"]


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_value_of_another_type_is_refused(kind):
    record = written(kind)
    for place in places(record):
        for key, value in list(place.items()):
            if place.keys() == {"value", "source"} and key == "value":
                wrong: Any = {"an": "object"}
            else:
                wrong = 3 if isinstance(value, str) else "text" if isinstance(value, int | float) else [[[3]]]
            if value is None and key in {"resize", "compare"}:
                continue
            place[key] = wrong
            if key == "schema":
                with pytest.raises(ValueError, match="no schema"):
                    faults(record)
            else:
                assert faults(record), (key, value)
            place[key] = value


@pytest.mark.parametrize(
    ("verb", "change"),
    [
        ("match", {"status": "done"}),
        ("match", {"status": "converged", "result": None}),
        ("match", {"artifacts": {"matched": "../matched.png"}}),
        ("match", {"artifacts": {"spectrum": "spectrum.png"}}),
        (
            "match",
            {"schema": "vitequiv/match/1", "inputs": [{"role": "compare", "path": "a", "sha256": None, "notes": []}]},
        ),
        ("jacobian", {"settings": {"k": {"value": 3, "source": "guess"}}}),
        ("run", {"verb": "report"}),
        ("run", {"batch_size": 1.5}),
    ],
)
def test_what_else_is_refused(verb, change):
    assert faults({**written(verb), **change})


def test_what_failed_may_be_without_a_result():
    assert faults({**written("match"), "status": "failed", "result": None, "artifacts": {}}) == []


class Colour(StrEnum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Example:
    """A thing
    of two lines.

    More of it.

    Args:
        number: A length in metres,
            or None.
        always: Finite.
        class_: A keyword.
        by_name: A mapping.
        by_index: Another.
        pair: Two.

    Raises:
        ValueError: Never.
    """

    number: float
    always: Finite
    class_: str | int | None
    by_name: Annotated[Mapping[Colour, int], Keys(tuple(Colour))]
    by_index: Mapping[int, bool]
    pair: tuple[int, int]


def example(**changes: Any) -> list[str]:
    schema = {**Definitions().record(Example)}
    values = {
        "number": 1.0,
        "always": 1.0,
        "class_": None,
        "by_name": {Colour.RED: 1},
        "by_index": {0: True},
        "pair": (1, 2),
    }
    record = jsonable(Example(**{**values, **changes}))
    return [error.message for error in Draft202012Validator(schema).iter_errors(record)]


def test_a_docstring():
    summary, words = parse_docstring(Example)
    assert summary == "A thing of two lines."
    assert words["number"] == "A length in metres, or null."
    assert list(words) == [field.name for field in dataclasses.fields(Example)]


def test_numbers_that_are_not_finite_are_null_only_where_they_may_be():
    assert example() == example(number=math.nan) == example(number=-math.inf) == []
    assert example(always=math.nan) == ["None is not of type 'number'"]
    described = Definitions().record(Example)["properties"]["number"]["description"]
    assert described == "A length in metres, or null. Null if it is NaN or infinite, which JSON has not."


@pytest.mark.parametrize(
    "changes",
    [
        {"class_": 1.5},
        {"by_name": {}},
        {"by_name": {"red": 1, "blue": 2}},
        {"by_index": {"x": True}},
        {"by_index": {0: 1}},
        {"pair": (1,)},
        {"pair": (1, 2, 3)},
        {"pair": (1, None)},
    ],
)
def test_types_are_kept(changes):
    assert len(example(**changes)) == 1


@dataclasses.dataclass(frozen=True)
class Undescribed:
    """A thing."""

    number: int


@pytest.mark.parametrize(
    ("kind", "message"),
    [(Undescribed, "docstring of Undescribed to describe number"), (complex, "complex"), (tuple[int, str], "one type")],
)
def test_what_cannot_be_described(kind, message):
    with pytest.raises(TypeError, match=message):
        Definitions().schema_of(kind)


def test_the_quantities_of_a_perturbation_have_one_list():
    samples = load_schema("vitequiv/statistics/1")["$defs"]["StatisticsRecord"]["properties"]["perturbation"]
    assert samples["required"] == [field.name for field in dataclasses.fields(Perturbation)]


def test_statuses_are_those_of_the_enum():
    assert load_schema("vitequiv/ldlc/1")["properties"]["status"]["enum"] == [status.value for status in Status]


def test_the_check_of_the_command_line_tests_sees_new_files_and_lines_alone(tmp_path):
    journal, result = tmp_path / "results.jsonl", tmp_path / "a" / "match.json"
    good = json.dumps(written("match"))
    journal.write_text("spoilt by a test\n")
    before = json_files(tmp_path)
    with journal.open("a") as file:
        file.write(good + "\n")
    result.parent.mkdir()
    result.write_text(good)
    assert check_new(tmp_path, before) == 2
    before = json_files(tmp_path)
    assert check_new(tmp_path, before) == 0
    with journal.open("a") as file:
        file.write(good.replace("converged", "done") + "\n")
    with pytest.raises(AssertionError, match="status"):
        check_new(tmp_path, before)


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="NaN is no JSON"):
        strict('{"a": NaN}')
    assert validator("vitequiv/run/1").is_valid(written("run"))
