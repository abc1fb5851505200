"""The JSON envelope around every verb's result (schema `vitequiv/<verb>/1`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from vitequiv.results.cost import Cost
from vitequiv.results.environment import Environment
from vitequiv.results.parse import RecordError, key_of, parse_record
from vitequiv.results.settings import Setting
from vitequiv.results.status import Status
from vitequiv.results.versions import require_schema, schema_name


@dataclass(frozen=True)
class InputRecord:
    """A file that went in.

    Args:
        role: What it was used as: `source`, `target`, ...
        path: As it was named by the user.
        sha256: Digest of the file's bytes; None if it could not be read.
        notes: What had to be done to it (for example `first of 12 frames`).
    """

    role: str
    path: str
    sha256: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelRecord:
    """The encoder in use, as `models show` and `--model` name it.

    Args:
        spec: What `--model` said.
        family: The family's name.
        checkpoint: Which weights of it.
        readout: Which vector is the embedding.
        embedding_dim: Its dimension n.
        input_size: [height, width] in pixels.
        weights_sha256: Digest over the tensors, whatever the file format.
        preprocessing_sha256: Digest of the checkpoint's own resize, crop, mean and standard deviation; null in results
            of an older version.
    """

    spec: str
    family: str
    checkpoint: str
    readout: str
    embedding_dim: int
    input_size: tuple[int, int]
    weights_sha256: str
    preprocessing_sha256: str | None = None


@dataclass(frozen=True)
class Envelope:
    """One item of one verb, whole.

    Args:
        verb: The verb, for the schema's name.
        item: The item's name, which is also its folder in the output directory.
        status: How it ended.
        message: The same in a sentence.
        inputs: The files that went in.
        model: The encoder.
        settings: Every option's value with its source.
        cost: What it took.
        environment: Versions, device, dtype and seed.
        result: The verb's own part; None if the item failed.
        artifacts: File names written, relative to the item's folder, by what they are.
        notes: What could not be done beside the result, a sentence each, such as a figure that could not be drawn.
    """

    verb: str
    item: str
    status: Status
    message: str
    inputs: tuple[InputRecord, ...]
    model: ModelRecord
    settings: Mapping[str, Setting]
    cost: Cost
    environment: Environment
    result: Any = None  # plain JSON types, or the verb's dataclass
    artifacts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Returns the envelope as plain JSON types, in the contract's order; `notes` only where there are some."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "verb"}
        fields["cost"] = self.cost.to_dict()
        if not self.notes:
            del fields["notes"]
        plain: dict[str, Any] = jsonable({"schema": schema_name(self.verb), **fields})
        return plain

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Envelope:
        """Read an envelope.

        Args:
            record: What `to_dict` gave, or the JSON of it.

        Returns:
            The envelope; its result is the verb's dataclass. `to_dict` gives the record again, but for keys that are
            not known here, which a later version may have added.

        Raises:
            RecordError: If it is damaged.
            SchemaError: If it is not an envelope of version 1; `LaterSchemaError` if a later vitequiv wrote it.
        """
        # Imported here, for the verbs' results are made of what stands in this module.
        from vitequiv.results.verbs import VERBS

        schema = record.get("schema") if isinstance(record, Mapping) else None
        verb = schema.partition("/")[2].rpartition("/")[0] if isinstance(schema, str) else ""
        require_schema(record, verb if verb in VERBS else "match")
        whole = parse_record(_Whole, record, "")
        about = VERBS[verb]
        if whole.result is None and whole.status is not Status.FAILED:
            raise RecordError(f"result is null, where the status is {whole.status}")
        for key, file in about.files.items():
            if key in whole.artifacts and whole.artifacts[key] != file:
                raise RecordError(f"artifacts.{key} is {whole.artifacts[key][:40]!a}, which is no file of its folder")
        fields = {f.name: getattr(whole, f.name) for f in dataclasses.fields(whole)}
        fields["artifacts"] = {key: file for key, file in whole.artifacts.items() if key in about.files}
        result = None if whole.result is None else parse_record(about.result, whole.result, "result")
        return cls(verb=verb, **{**fields, "result": result})


@dataclass(frozen=True)
class _Whole:
    """The keys of an envelope's JSON beside `schema`; `result` is read once the verb is known."""

    item: str
    status: Status
    message: str
    inputs: tuple[InputRecord, ...]
    model: ModelRecord
    settings: Mapping[str, Setting]
    cost: Cost
    environment: Environment
    result: Any
    artifacts: Mapping[str, str]
    notes: tuple[str, ...] = ()


def jsonable(value: Any) -> Any:
    """Turn a value into JSON's own types.

    Args:
        value: Dataclasses, mappings, sequences, enums, paths and plain values.

    Returns:
        The same as dict, list, str, int, float, bool and None; NaN and infinity, which JSON has not, become None.

    Raises:
        TypeError: If the value is of any other type.
    """
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key_of(f): jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"Expected a plain value for JSON, got {type(value).__name__}: {value!r}.")
