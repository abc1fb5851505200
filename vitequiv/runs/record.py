"""`<verb>.run.json`: what a run directory was begun with, so that nothing else is mixed in."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from vitequiv.errors import OutputError, UsageError
from vitequiv.files.reading import NoFileError, read_json
from vitequiv.images.naming import shown
from vitequiv.images.save import save_json
from vitequiv.results.envelope import jsonable
from vitequiv.results.parse import parse_record
from vitequiv.results.run import RunFile
from vitequiv.results.versions import LaterSchemaError, require_schema, schema_name
from vitequiv.runs.changes import changed_model, differences, other_owners
from vitequiv.runs.context import RunContext
from vitequiv.runs.meanings import Made, same_model

SCHEMA = schema_name("run")


def now() -> str:
    """The time, UTC, to a second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def begin_record(context: RunContext) -> RunFile:
    """The record of a run that begins now.

    Args:
        context: What its items share.

    Returns:
        The record.
    """
    return RunFile(
        verb=context.verb,
        started=now(),
        resumed=(),
        batch_size=None,
        models=(context.model,),
        settings=context.settings,
        environment=context.environment,
    )


def read_record(path: Path) -> RunFile | None:
    """Read a record.

    Args:
        path: The file.

    Returns:
        The record; None if there is none.

    Raises:
        UsageError: If the file is something else, or of a later vitequiv.
    """
    try:
        record = read_json(path)
        require_schema(record, "run")
        return parse_record(RunFile, record, "")
    except NoFileError:
        return None
    except LaterSchemaError as error:
        raise UsageError(f"{shown(path)} cannot be resumed: {error}, or choose another --out.") from None
    except ValueError as error:
        raise UsageError(
            f"{shown(path)} is not the record of a run that can be resumed ({error}): move it away, or choose another "
            "--out."
        ) from None


def sized(record: RunFile, context: RunContext, batch_size: int | None) -> RunFile:
    """The record with the size of the batches of the model in hand.

    Args:
        record: The record so far.
        context: What the model's items share.
        batch_size: The size; None if it is not known.

    Returns:
        The record; as it is for a model that is not its last, for a run goes on with that when it is resumed.
    """
    if not same_model(record.models[-1].spec, context.model.spec):
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
    return old.batch_size if old and same_model(old.models[-1].spec, spec) else None


def continue_record(old: RunFile, context: RunContext, where: Path) -> RunFile:
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
    model = next((model for model in old.models if same_model(model.spec, context.model.spec)), None)
    made = Made(old.environment.device, model.readout if model else None)
    makes = Made(context.environment.device, context.model.readout)
    changes = differences(old.settings, context.settings, made, makes) + other_owners(old, context)
    if changes:
        raise UsageError(
            f"{where} was begun with other settings ({'; '.join(changes)}): give the same ones to resume, or choose "
            "another --out."
        )
    return add_model(replace(old, resumed=(*old.resumed, now())), context, where)


def add_model(record: RunFile, context: RunContext, where: Path) -> RunFile:
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
    for known in record.models:
        if same_model(known.spec, model.spec):
            if changes := changed_model(known, model):
                raise UsageError(
                    f"{where} was begun with {changes} of {model.spec}: resume with the same, or choose another --out."
                )
            return record
    return replace(record, models=(*record.models, model))


def save_record(record: RunFile, path: Path) -> None:
    """Write a record, or say that the run cannot be recorded.

    Args:
        record: The record.
        path: Where to.

    Raises:
        UsageError: If it cannot be written.
    """
    try:
        save_json(path, {"schema": SCHEMA, **jsonable(record)})
    except OutputError as error:
        raise UsageError(f"The run cannot be recorded: {error.message}.") from None
