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
from vitequiv.results.environment import Environment, known_fields
from vitequiv.results.settings import Setting, Source
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
    result: Mapping[str, Any] | None = None
    artifacts: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Returns the envelope as plain JSON types, in the contract's order."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "verb"}
        fields["cost"] = self.cost.to_dict()
        plain: dict[str, Any] = jsonable({"schema": schema_name(self.verb), **fields})
        return plain

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Envelope:
        """Read an envelope.

        Args:
            record: What `to_dict` gave, or the JSON of it.

        Returns:
            The envelope; its result is of plain JSON types. `to_dict` gives the record again, but for keys that are not
            known here, which a later version may have added.

        Raises:
            ValueError: If the record is not an envelope of version 1.
        """
        try:
            verb = str(record["schema"]).partition("/")[2].rpartition("/")[0]
            require_schema(record, verb)
            return cls(
                verb=verb,
                item=record["item"],
                status=Status(record["status"]),
                message=record["message"],
                inputs=tuple(
                    InputRecord(**{**known_fields(InputRecord, entry), "notes": tuple(entry["notes"])})
                    for entry in record["inputs"]
                ),
                model=ModelRecord(**{
                    **known_fields(ModelRecord, record["model"]),
                    "input_size": tuple(record["model"]["input_size"]),
                }),
                settings={key: Setting(s["value"], Source(s["source"])) for key, s in record["settings"].items()},
                cost=Cost(**known_fields(Cost, record["cost"])),
                environment=Environment.from_dict(record["environment"]),
                result=record["result"],
                artifacts=record["artifacts"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"Expected an envelope of vitequiv, got one with a fault ({error!r}).") from None


def key_of(field: dataclasses.Field[Any]) -> str:
    """The key of a field in JSON: its name, without the underscore at the end of one such as `class_`."""
    return field.name.removesuffix("_")


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
