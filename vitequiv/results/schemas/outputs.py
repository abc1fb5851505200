"""The schema of each kind of JSON that vitequiv writes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from vitequiv.results.cost import CostRecord
from vitequiv.results.envelope import Envelope, InputRecord, ModelRecord
from vitequiv.results.environment import Environment
from vitequiv.results.model_check import ModelCheck
from vitequiv.results.models import FamilyRecord, PluginFailureRecord, RegisteredRecord
from vitequiv.results.report import ReportRecord
from vitequiv.results.run import RunFile
from vitequiv.results.schemas import file_name
from vitequiv.results.schemas.describe import Definitions, Schema, closed, parse_docstring
from vitequiv.results.settings import Setting
from vitequiv.results.status import Status
from vitequiv.results.verbs import VERBS, Verb
from vitequiv.results.versions import schema_name

DRAFT = "https://json-schema.org/draft/2020-12/schema"


RECORDS: Mapping[str, type] = {
    "run": RunFile,
    "family": FamilyRecord,
    "plugin-failure": PluginFailureRecord,
    "registered": RegisteredRecord,
    "model": ModelCheck,
    "report": ReportRecord,
}
"""What is no envelope."""


def make_schemas() -> dict[str, str]:
    """Make all schemas from the dataclasses.

    Returns:
        The text of each file, by its name.
    """
    schemas = [
        *(_envelope(schema_name(verb), about) for verb, about in VERBS.items()),
        *(_record(schema_name(kind), record) for kind, record in RECORDS.items()),
    ]
    return {file_name(schema["title"]): json.dumps(schema, indent=2) + "\n" for schema in schemas}


def _envelope(name: str, verb: Verb) -> Schema:
    definitions = Definitions()
    _, words = parse_docstring(Envelope)
    record = definitions.record(InputRecord)
    record["properties"]["role"] = {"type": "string", "enum": list(verb.roles), "description": "What it was used as."}
    definitions.found["InputRecord"] = record
    types = {
        "item": str,
        "status": Status,
        "message": str,
        "inputs": tuple[InputRecord, ...],
        "model": ModelRecord,
        "settings": Mapping[str, Setting],
        "cost": CostRecord,
        "environment": Environment,
        "result": verb.result | None,
    }
    files = {key: {"type": "string", "const": file} for key, file in verb.files.items()}
    properties = {
        **{key: definitions.described(kind, words[key]) for key, kind in types.items()},
        "artifacts": {"description": words["artifacts"], **closed(files, required=False)},
        "notes": {**definitions.described(tuple[str, ...], words["notes"]), "minItems": 1},
    }
    whole = _document(name, "One item of one verb, whole.", properties, definitions)
    whole["required"].remove("notes")  # there only where there are some
    # Only what failed may be without a result.
    whole["if"] = {"properties": {"status": {"not": {"const": Status.FAILED.value}}}}
    whole["then"] = {"properties": {"result": {"type": "object"}}}
    return whole


def _record(name: str, kind: type) -> Schema:
    definitions = Definitions()
    record = definitions.record(kind)
    properties = record["properties"]
    if kind is RunFile:
        properties["verb"] |= {"enum": list(VERBS)}
    return _document(name, record["description"], properties, definitions)


def _document(name: str, description: str, properties: Schema, definitions: Definitions) -> Schema:
    first = {
        "const": name,
        "description": "The name of this schema; its number changes when a key changes its meaning.",
    }
    head = {"$schema": DRAFT, "$id": f"urn:{name.replace('/', ':')}", "title": name, "description": description}
    defined = {"$defs": dict(sorted(definitions.found.items()))} if definitions.found else {}
    return {**head, **closed({"schema": first, **properties}), **defined}
