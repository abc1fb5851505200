"""`<verb>.run.json`: what a run directory was begun with, so that nothing else is mixed in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitequiv.errors import OutputError, UsageError
from vitequiv.images.save import save_json
from vitequiv.results.envelope import jsonable
from vitequiv.results.run import RunFile
from vitequiv.results.versions import LaterSchemaError, require_schema, schema_name
from vitequiv.runs.changes import changed_model, differences, other_owners
from vitequiv.runs.context import RunContext

SCHEMA = schema_name("run")


@dataclass(frozen=True)
class RunRecord:
    """The latest run of a verb in a directory.

    Args:
        context: What its items share, as JSON: models, settings, environment.
        started: When it began, UTC.
        resumed: When it was taken up again, each time.
        batch_size: Items computed together, once that is settled; see `RunFile`.
    """

    context: Mapping[str, Any]
    started: str
    resumed: tuple[str, ...] = ()
    batch_size: int | None = None

    def save(self, path: Path, verb: str) -> None:
        """Write the record.

        Args:
            path: Where to.
            verb: The verb.
        """
        file = RunFile(
            verb=verb, started=self.started, resumed=self.resumed, batch_size=self.batch_size, **self.context
        )
        save_json(path, {"schema": SCHEMA, **jsonable(file)})


def now() -> str:
    """The time, UTC, to a second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def begin_record(context: RunContext) -> RunRecord:
    """The record of a run that begins now.

    Args:
        context: What its items share.

    Returns:
        The record.
    """
    shared = {"models": [context.model], "settings": context.settings, "environment": context.environment}
    return RunRecord(jsonable(shared), now())


def read_record(path: Path) -> RunRecord | None:
    """Read a record.

    Args:
        path: The file.

    Returns:
        The record; None if there is none.

    Raises:
        UsageError: If the file is something else, or of a later vitequiv.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        require_schema(record, "run")
        shared = {name: record[name] for name in ("models", "settings", "environment")}
        shared["models"][0]["weights_sha256"], shared["settings"].items(), shared["environment"].items()
        found = RunRecord(shared, str(record["started"]), tuple(record["resumed"]), _size(record["batch_size"]))
    except FileNotFoundError:
        return None
    except LaterSchemaError as error:
        raise UsageError(f"{path} cannot be resumed: {error}, or choose another --out.") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        found = None
    if found is None:
        raise UsageError(
            f"{path} is not the record of a run that can be resumed: move it away, or choose another --out."
        )
    return found


def sized(record: RunRecord, context: RunContext, batch_size: int | None) -> RunRecord:
    """The record with the size of the batches of the model in hand.

    Args:
        record: The record so far.
        context: What the model's items share.
        batch_size: The size; None if it is not known.

    Returns:
        The record; as it is for a model that is not its last, for a run goes on with that when it is resumed.
    """
    if record.context["models"][-1].get("spec") != context.model.spec:
        return record
    return replace(record, batch_size=batch_size or record.batch_size)


def earlier_batch_size(path: Path, spec: str) -> int | None:
    """The size of the batches of a run that is to be resumed, if this is the model that it was interrupted in.

    Args:
        path: Its record.
        spec: The model.

    Returns:
        The size; None if it is not known.

    Raises:
        UsageError: See `read_record`.
    """
    old = read_record(path)
    return old.batch_size if old and old.context["models"][-1].get("spec") == spec else None


def _size(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError(f"{value!r} is no size of a batch")


def continue_record(old: RunRecord, context: RunContext, where: Path) -> RunRecord:
    """The record of a run that is taken up again now.

    Args:
        old: Its record so far.
        context: What its items would now share.
        where: The directory, for messages.

    Returns:
        The record.

    Raises:
        UsageError: If the settings or the weights are others.
    """
    changes = differences(old.context["settings"], context.settings) + other_owners(old, context)
    if changes:
        raise UsageError(
            f"{where} was begun with other settings ({'; '.join(changes)}): give the same ones to resume, or choose "
            "another --out."
        )
    return add_model(replace(old, resumed=(*old.resumed, now())), context, where)


def add_model(record: RunRecord, context: RunContext, where: Path) -> RunRecord:
    """The record of a run that turns to a model.

    Args:
        record: Its record so far.
        context: What the model's items share.
        where: The directory, for messages.

    Returns:
        The record.

    Raises:
        UsageError: If it had the same model with other weights or preprocessing.
    """
    model = context.model
    for known in record.context["models"]:
        if known.get("spec") == model.spec:
            if changes := changed_model(known, model):
                raise UsageError(
                    f"{where} was begun with {changes} of {model.spec}: resume with the same, or choose another --out."
                )
            return record
    return replace(record, context={**record.context, "models": [*record.context["models"], jsonable(model)]})


def save_record(record: RunRecord, path: Path, verb: str) -> None:
    """Write a record, or say that the run cannot be recorded.

    Args:
        record: The record.
        path: Where to.
        verb: The verb.

    Raises:
        UsageError: If it cannot be written.
    """
    try:
        record.save(path, verb)
    except OutputError as error:
        raise UsageError(f"The run cannot be recorded: {error.message}.") from None
