"""A task without a network, for the engine's own tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vitequiv.results.envelope import Envelope, InputRecord, ModelRecord
from vitequiv.results.environment import Environment
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.engine.task import Prepared, Task

MODEL = ModelRecord("fake", "fake", "none", "cls", 2, (4, 4), "0" * 64)


@dataclass(frozen=True)
class Thing:
    name: str


def things(count: int) -> list[Thing]:
    return [Thing(f"i{number:03}") for number in range(count)]


def fake_context(settings=None, seed: int = 0) -> RunContext:
    return RunContext("match", MODEL, settings or {}, Environment({"vitequiv": "0"}, "Test", "cpu", "float32", seed))


@dataclass
class Log:
    """What the engine did, from several threads."""

    batches: list[list[str]] = field(default_factory=list)
    events: list[tuple[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str, name: str) -> None:
        with self.lock:
            self.events.append((what, name))

    def count(self, what: str) -> int:
        with self.lock:
            return sum(event == what for event, _ in self.events)


def nothing(_: object) -> None:
    """A step that is as it should be."""


def fake_task(
    log: Log,
    *,
    prepare: Callable[[str], None] = nothing,
    compute: Callable[[list[str]], None] = nothing,
    write: Callable[[str], None] = nothing,
    slow: float = 0.0,
    **options,
) -> Task[Thing, str, str]:
    """Names in, the same in capitals out; each step calls the hook that was given, which may raise."""
    context = fake_context()

    def prepare_one(item: Thing) -> Prepared[str]:
        log.add("prepare", item.name)
        prepare(item.name)
        return Prepared((InputRecord("image", item.name, "hash"),), item.name)

    def compute_batch(batch: Sequence[str]) -> list[str]:
        log.batches.append(list(batch))
        for name in batch:
            log.add("compute", name)
        time.sleep(slow)
        compute(list(batch))
        for name in batch:
            log.add("computed", name)
        return [name.upper() for name in batch]

    def write_one(item: Thing, prepared: Prepared[str], result: str) -> Envelope:
        log.add("write", item.name)
        write(item.name)
        log.add("written", item.name)
        return context.envelope(item.name, Status.CONVERGED, "Done.", prepared.inputs, result={"value": result})

    return Task(
        context,
        lambda item: (InputRecord("image", item.name),),
        prepare_one,
        compute_batch,
        write_one,
        "The fake failed on this item",
        **options,
    )


@dataclass
class Shelf:
    """A keeper in memory."""

    kept: dict[str, Envelope] = field(default_factory=dict)
    appended: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def stored(self, name: str, inputs: tuple[InputRecord, ...], context: RunContext) -> Envelope | None:
        del inputs, context
        return self.kept.get(name)

    def append(self, envelope: Envelope) -> None:
        self.appended.append(envelope.item)

    def sized(self, batch_size: int) -> None:
        self.sizes.append(batch_size)
