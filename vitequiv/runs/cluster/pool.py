"""The workers as seen from the process that the user began: batches go out to whoever is idle, and come back."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

import torch

from vitequiv._version import __version__
from vitequiv.batching import largest
from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.runs.cluster import tensors
from vitequiv.runs.cluster.choice import Crew
from vitequiv.runs.cluster.words import cause, hushed
from vitequiv.runs.cluster.worker import Worker, traveller
from vitequiv.runs.engine.ahead import POLL
from vitequiv.runs.engine.task import D, Elsewhere, Failure, R
from vitequiv.runs.failures import reason
from vitequiv.runs.interrupt import check

T = TypeVar("T")

AHEAD = 2
"""Batches under way for each worker: one that it computes, one that waits for it or is waited for."""
LIVES = 2
"""Workers that a batch may take with it; an item after that one more."""
PATIENCE = 60.0
"""Seconds without any worker after which the user is told."""


@dataclass(eq=False)
class _Order(Generic[D, R]):
    """A batch to be computed, for as many deaths of its worker as are left to it."""

    batch: list[D]
    lives: int = LIVES
    future: Future[Callable[[], list[R | Failure]]] = field(default_factory=Future)


@dataclass(eq=False)
class _Question(Generic[D]):
    """An item to be measured."""

    data: D
    future: Future[int] = field(default_factory=Future)


class Pool(Generic[D, R]):
    """A crew of Ray actors, each with the encoder; see `Computer`.

    Ray restarts an actor that dies; its batch goes to whoever is idle first. A batch that two workers did not survive
    is computed item by item, and an item that its worker does not survive alone has failed.

    Args:
        encoder: The encoder, on the CPU. Its weights are put into Ray's store once, which keeps them once a machine.
        elsewhere: What to do.
        blame: The beginning of the sentence for an item whose worker died, without a colon.
        crew: What the workers are.
        say: Told what the user should know, from another thread.
    """

    def __init__(
        self, encoder: Encoder, elsewhere: Elsewhere[D, R], blame: str, crew: Crew, say: Callable[[str], None]
    ) -> None:
        import ray

        self._ray = ray
        self._pack = elsewhere.pack
        self._blame = blame
        self._crew = crew
        self._say = say
        tensors.register()
        try:
            with tensors.mapped():
                # Kept, for a worker that begins again needs them.
                self._weights = ray.put(traveller(encoder))
            self._work = ray.put(elsewhere.work)
        except Exception as error:
            raise UsageError(
                f"The model {encoder.spec} cannot be sent to workers ({reason(error)}): leave out --engine ray."
            ) from error
        actor = ray.remote(Worker).options(num_cpus=crew.threads, num_gpus=crew.gpus, max_restarts=-1)
        with hushed():  # it warns that an actor cannot begin again without its arguments, which are kept here
            self._actors = [actor.remote(self._weights, self._work, crew) for _ in range(crew.workers)]
        self._idle: list[Any] = []
        self._todo: deque[_Order[D, R] | _Question[D]] = deque()
        self._present = 0
        self._gone: BaseException | None = None
        self._inbox: queue.Queue[Callable[[], None] | None] = queue.Queue()
        for one in self._actors:
            self._welcome(one)
        self._thread = threading.Thread(target=self._dispatch, name="vitequiv-ray", daemon=True)
        self._thread.start()

    @property
    def capacity(self) -> int:
        """Enough for every worker to have its next batch waiting."""
        return AHEAD * self._crew.workers

    def size(self, data: D | None) -> int:
        """Go by the free memory of a worker; see `Computer`."""
        if data is None:
            return largest(torch.device(self._crew.device))
        question = _Question(self._pack(data))
        self._inbox.put(lambda: self._todo.appendleft(question))
        return _patiently(question.future)

    def submit(self, batch: Sequence[D]) -> Future[Callable[[], list[R | Failure]]]:
        """Send it to a worker, as soon as one is idle; see `Computer`."""
        return self._submit([self._pack(data) for data in batch])

    def _submit(self, batch: list[D]) -> Future[Callable[[], list[R | Failure]]]:
        order: _Order[D, R] = _Order(batch)
        self._inbox.put(lambda: self._todo.append(order))
        return order.future

    def close(self) -> None:
        """End the workers, whatever they do."""
        self._inbox.put(None)
        self._thread.join()
        for actor in self._actors:
            self._ray.kill(actor, no_restart=True)

    def _dispatch(self) -> None:
        told = False
        while True:
            try:
                message = self._inbox.get(timeout=PATIENCE)
            except queue.Empty:
                if not self._present and not told:
                    self._say(f"Still waiting for Ray to begin one of {self._crew.workers} workers.")
                    told = True
                continue
            if message is None:
                return
            try:
                message()
                while self._todo and (self._idle or self._gone):
                    self._send(self._todo.popleft())
            except Exception as error:  # Ray is gone, or a batch cannot be sent: whoever waits must hear of it
                self._gone = error

    def _tell(self, reference: Any, act: Callable[[Future[Any]], None]) -> None:
        """Have the dispatcher act when what Ray promised is there."""
        reference.future().add_done_callback(lambda future: self._inbox.put(lambda: act(future)))

    def _welcome(self, actor: Any) -> None:
        """Give an actor work once it is there, now or after its death."""
        self._tell(actor.version.options(max_task_retries=-1).remote(), partial(self._came, actor))

    def _came(self, actor: Any, future: Future[str]) -> None:
        error = future.exception()
        if error is None and future.result() != __version__:
            error = UsageError(f"it has vitequiv {future.result()}, and this is {__version__}")
        if error is None:
            self._idle.append(actor)
            self._present += 1
            return
        self._actors.remove(actor)
        if not self._actors:
            self._gone = UsageError(f"No Ray worker could begin, or begin again: {cause(error)}.")

    def _send(self, order: _Order[D, R] | _Question[D]) -> None:
        if self._gone:
            order.future.set_exception(self._gone)
            return
        actor = self._idle.pop()
        try:
            if isinstance(order, _Question):
                self._tell(actor.size.remote(order.data), partial(self._answered, actor, order))
            else:
                report, results = actor.compute.options(num_returns=2).remote(order.batch)
                self._tell(report, partial(self._computed, actor, order, results))
        except Exception as error:
            order.future.set_exception(error)
            raise

    def _back(self, actor: Any, error: BaseException | None) -> None:
        """Note that an actor has nothing to do any more, or has died of what it did."""
        if error is None or isinstance(error, self._ray.exceptions.RayTaskError):
            self._idle.append(actor)
        else:
            self._present -= 1
            self._welcome(actor)

    def _answered(self, actor: Any, question: _Question[D], future: Future[int]) -> None:
        self._back(actor, future.exception())
        # What cannot be measured fails with its reason when it is computed.
        question.future.set_result(self.size(None) if future.exception() else future.result())

    def _computed(self, actor: Any, order: _Order[D, R], results: Any, future: Future[Any]) -> None:
        error = future.exception()
        self._back(actor, error)
        order.lives -= 1
        if error is None:
            for note in future.result().notes:
                self._say(note)
            order.future.set_result(lambda: self._fetch(order, results))
        elif isinstance(error, self._ray.exceptions.RayTaskError):
            order.future.set_result(lambda: self._failed(order, error))
        elif order.lives:
            self._todo.appendleft(order)
        elif len(order.batch) > 1:
            self._alone(order)
        else:
            order.future.set_result(lambda: self._failed(order, error))

    def _alone(self, order: _Order[D, R]) -> None:
        """Compute the items of a batch one by one, to know which of them their worker does not survive."""
        parts: list[_Order[D, R]] = [_Order([data], lives=1) for data in order.batch]
        self._todo.extendleft(reversed(parts))
        left = len(parts)

        def ended(_: Future[Any]) -> None:
            nonlocal left
            left -= 1
            if not left:
                order.future.set_result(lambda: [one for part in parts for one in part.future.result()()])

        for part in parts:
            part.future.add_done_callback(ended)

    def _fetch(self, order: _Order[D, R], results: Any) -> list[R | Failure]:
        try:
            fetched: list[R | Failure] = self._ray.get(results)
        except self._ray.exceptions.RayError:  # the machine that kept them is gone
            return _patiently(self._submit(order.batch))()
        return fetched

    def _failed(self, order: _Order[D, R], error: BaseException) -> list[R | Failure]:
        return [Failure(f"{self._blame}: {cause(error)}.") for _ in order.batch]


def _patiently(future: Future[T]) -> T:
    """Wait for what another thread finds, or for a signal."""
    while True:
        check()
        try:
            return future.result(timeout=POLL)
        except TimeoutError:
            continue
