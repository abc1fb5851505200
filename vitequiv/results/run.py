"""What `<verb>.run.json` says of the latest run of a verb in a directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vitequiv.results.envelope import ModelRecord
from vitequiv.results.environment import Environment
from vitequiv.results.settings import Setting


@dataclass(frozen=True)
class RunFile:
    """What a run was begun with.

    Args:
        verb: The verb.
        started: When it began, UTC, ISO 8601 to a second.
        resumed: When it was taken up again, each time.
        batch_size: Items computed together; null until `auto` has settled it. For verbs that do one item at a time,
            what they put together within it: images, and pairs of `statistics`; null where Ray's workers settle it.
        models: Each model of the run.
        settings: Every option's value with its source.
        environment: Versions, device, dtype and seed.

    Raises:
        ValueError: If there is no model, or the size is no size.
    """

    verb: str
    started: str
    resumed: tuple[str, ...]
    batch_size: int | None
    models: tuple[ModelRecord, ...]
    settings: Mapping[str, Setting]
    environment: Environment

    def __post_init__(self) -> None:
        if not self.models or (self.batch_size is not None and self.batch_size < 1):
            raise ValueError("it names no model, or a batch of nothing")
