"""The loop: order, blame, memory, what overlaps, and what is left when it is stopped."""

from __future__ import annotations

import os
import signal
import threading
import time
import tracemalloc
from dataclasses import replace
from itertools import chain, count, islice

import pytest
import torch

from tests.runs.fakes import Log, Shelf, Thing, fake_context, fake_task, things
from vitequiv import batching
from vitequiv.errors import ImageError, OutputError, UsageError
from vitequiv.results.status import Status
from vitequiv.runs.engine.loop import BATCHES_UNDER_WAY, run_items
from vitequiv.runs.engine.task import Prepared
from vitequiv.runs.interrupt import Interrupted, listen
from vitequiv.runs.worklist.items import Broken


def raising(error: BaseException, *guilty: str):
    """A hook that raises for some names, alone or in a batch."""

    def hook(names: str | list[str]) -> None:
        if set(guilty) & ({names} if isinstance(names, str) else set(names)):
            raise error

    return hook


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8, None])
def test_envelopes_come_in_the_order_of_the_list_and_batches_are_cut_by_place(batch_size):
    log, shelf = Log(), Shelf()
    # The even ones take longer to prepare.
    task = fake_task(log, prepare=lambda name: time.sleep(0.01 * (int(name[1:]) % 2)))
    envelopes = list(run_items(things(7), task, batch_size=batch_size, keeper=shelf))
    names = [thing.name for thing in things(7)]
    assert [envelope.item for envelope in envelopes] == names == shelf.appended
    assert [envelope.result for envelope in envelopes] == [{"value": name.upper()} for name in names]
    size = batch_size or batching.CPU_BATCH
    assert log.batches == [names[start : start + size] for start in range(0, 7, size)]


@pytest.mark.parametrize("batch_size", [1, 4])
@pytest.mark.parametrize(
    ("step", "error", "message"),
    [
        ("prepare", ImageError("x.png is broken; copy it again"), "x.png is broken; copy it again"),
        ("prepare", KeyError("odd"), "The fake failed on this item: 'odd'"),
        ("prepare", SystemExit(3), "The fake failed on this item: 3"),
        ("compute", RuntimeError("red\nand more"), "The fake failed on this item: red"),
        ("compute", SystemExit("plugin said no"), "The fake failed on this item: plugin said no"),
        ("compute", ImageError("there is no way"), "there is no way"),
        ("write", OutputError("disk full"), "disk full"),
        ("write", ValueError("no plot"), "The result was found but could not be written: no plot"),
        ("write", SystemExit(1), "The result was found but could not be written: 1"),
    ],
)
def test_only_the_guilty_item_fails_and_says_why(step, error, message, batch_size):
    shelf = Shelf()
    task = fake_task(Log(), **{step: raising(error, "i002")})
    envelopes = list(run_items(things(6), task, batch_size=batch_size, keeper=shelf))
    assert [e.item for e in envelopes if e.status is Status.FAILED] == ["i002"]
    assert envelopes[2].message == message
    assert envelopes[2].result is None
    assert [e.inputs[0].sha256 for e in envelopes] == ["hash"] * 2 + [None if step == "prepare" else "hash"] + [
        "hash"
    ] * 3
    assert shelf.appended == [f"i{n:03}" for n in range(6)]


def test_an_item_that_the_list_cannot_make_out_fails_in_its_place():
    items = [Thing("a"), Broken("row-3", "Row 3 lacks a source."), Thing("b")]
    envelopes = list(run_items(items, fake_task(Log()), batch_size=2))
    assert [(e.item, e.status.value) for e in envelopes] == [
        ("a", "converged"),
        ("row-3", "failed"),
        ("b", "converged"),
    ]
    assert envelopes[1].message == "Row 3 lacks a source."


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "python"])
def test_a_batch_that_does_not_fit_is_halved_once_and_stays_small(error):
    log, said = Log(), []

    def compute(batch: list[str]) -> None:
        if len(batch) > 2:
            raise error

    envelopes = list(run_items(things(16), fake_task(log, compute=compute), batch_size=8, say=said.append))
    assert all(envelope.status is Status.CONVERGED for envelope in envelopes)
    assert [len(batch) for batch in log.batches] == [8, 4, *[2] * 8]
    assert said == [
        "8 items together do not fit into the memory: going on with 4.",
        "4 items together do not fit into the memory: going on with 2.",
    ]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "cpu", "python"])
def test_an_item_too_large_for_the_memory_fails_and_the_rest_goes_on(error):
    task = fake_task(Log(), compute=raising(error, "i001"))
    envelopes = list(run_items(things(4), task, batch_size=4))
    assert [e.item for e in envelopes if e.status is Status.FAILED] == ["i001"]
    assert "even alone" in envelopes[1].message
    assert "\n" not in envelopes[1].message


@pytest.mark.parametrize(
    ("free", "each", "size"),
    [(None, 100, 8), (10_000, 100, 8), (1000, 100, 5), (1000, 400, 1), (10, 400, 1), (1000, None, 8)],
)
def test_the_size_of_batches_goes_by_the_free_memory(monkeypatch, free, each, size):
    monkeypatch.setattr(batching, "free_bytes", lambda _: free)
    log, shelf = Log(), Shelf()
    task = fake_task(log, footprint=None if each is None else lambda _: each)
    assert len(list(run_items(things(10), task, batch_size=None, keeper=shelf))) == 10
    assert len(log.batches[0]) == size
    assert shelf.sizes == [size]


@pytest.mark.parametrize("broken", [0, 1, 3, 5, 8, 9, 30])
@pytest.mark.parametrize("each", [None, 400, 100])
def test_however_late_the_first_good_item_comes_the_size_is_found(monkeypatch, broken, each):
    monkeypatch.setattr(batching, "free_bytes", lambda _: 1000)
    names = [f"i{number:03}" for number in range(broken)]
    log = Log()
    task = fake_task(log, prepare=raising(ImageError("no"), *names), footprint=None if each is None else lambda _: each)
    envelopes = list(run_items(things(40), task, batch_size=None))
    assert [envelope.item for envelope in envelopes] == [thing.name for thing in things(40)]
    assert sum(envelope.status is Status.FAILED for envelope in envelopes) == broken
    assert sum(map(len, log.batches)) == 40 - broken


def test_a_footprint_that_cannot_be_measured_costs_nothing():
    def footprint(_: str) -> int:
        raise RuntimeError("no")

    assert len(list(run_items(things(3), fake_task(Log(), footprint=footprint), batch_size=None))) == 3


@pytest.mark.parametrize("batch_size", [1, 4])
def test_few_items_are_under_way_however_long_the_list(batch_size):
    read = 0

    def endless():
        nonlocal read
        for read in count(1):
            yield Thing(f"i{read}")

    run = run_items(endless(), fake_task(Log()), batch_size=batch_size)
    for done, _ in enumerate(islice(run, 40), 1):
        # The one that waits for room has been read too, and while this line runs one more may end.
        assert read - done <= BATCHES_UNDER_WAY * batch_size + 2
    run.close()


def test_memory_does_not_grow_with_the_list():
    size = 200_000

    def peak(items: int) -> int:
        task = replace(
            fake_task(Log()),
            prepare=lambda item: Prepared((), bytes(size)),
            compute=lambda batch: [bytes(size) for _ in batch],
            write=lambda item, prepared, result: fake_context().envelope(item.name, Status.CONVERGED, "", ()),
        )
        tracemalloc.start()
        try:
            for envelope in run_items((Thing(f"i{n}") for n in range(items)), task, batch_size=4):
                assert envelope.status is Status.CONVERGED
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)  # what is imported and cached on the way
    few, many = peak(30), peak(600)
    # All 600 at once would be 120 MB and more; three batches of four, with their results, are at most 4.8 MB.
    assert few < 6e6
    assert many < 6e6


def test_writing_overlaps_the_next_computation_unless_it_must_not():
    def overlapped(overlap: bool) -> bool:
        log = Log()
        task = fake_task(log, write=lambda _: time.sleep(0.1), slow=0.02, overlap=overlap)
        list(run_items(things(4), task, batch_size=1))
        return log.events.index(("compute", "i001")) < log.events.index(("written", "i000"))

    assert overlapped(True)
    assert not overlapped(False)


@pytest.mark.parametrize(("batch_size", "patience"), [(1, None), (8, 0.2)])
def test_an_item_is_done_before_the_list_ends(batch_size, patience):
    more = threading.Event()

    def slowly():
        yield Thing("first")
        assert more.wait(30)
        yield Thing("second")

    run = run_items(slowly(), fake_task(Log()), batch_size=batch_size, patience=patience)
    assert next(run).item == "first"
    more.set()
    assert [envelope.item for envelope in run] == ["second"]


def test_the_error_of_a_list_comes_after_its_items():
    def items():
        yield from things(3)
        raise UsageError("the pipe broke")

    done = []
    with pytest.raises(UsageError, match="the pipe broke"):
        done += [done.append(envelope.item) for envelope in run_items(items(), fake_task(Log()), batch_size=2)]
    assert done == ["i000", "i001", "i002"]


def test_the_run_ends_when_results_cannot_be_recorded():
    log = Log()

    class Full(Shelf):
        def append(self, envelope) -> None:
            if envelope.item == "i002":
                raise OutputError("results.jsonl cannot be written")
            super().append(envelope)

    shelf = Full()
    with pytest.raises(OutputError, match=r"results\.jsonl"):
        list(run_items(things(50), fake_task(log), keeper=shelf))
    assert shelf.appended == ["i000", "i001"]
    assert log.count("compute") < 20


def kept(*names: str) -> Shelf:
    context = fake_context()
    return Shelf({name: context.envelope(name, Status.CONVERGED, "Earlier.", (), result={}) for name in names})


@pytest.mark.parametrize(
    ("done", "computed"),
    [
        ((), [["i000", "i001", "i002"], ["i003", "i004"]]),
        (("i000", "i001", "i002"), [["i003", "i004"]]),
        (("i000", "i002", "i003"), [["i000", "i001", "i002"], ["i003", "i004"]]),
        (("i000", "i001", "i002", "i003", "i004"), []),
    ],
)
def test_a_resumed_run_computes_whole_batches_and_writes_what_is_missing(done, computed):
    log = Log()
    envelopes = list(run_items(things(5), fake_task(log), batch_size=3, keeper=kept(*done)))
    assert log.batches == computed
    assert [e.item for e in envelopes if e.message == "Earlier."] == list(done)
    assert [name for what, name in log.events if what == "write"] == [e.item for e in envelopes if e.message == "Done."]


def test_a_batch_whose_missing_item_cannot_be_prepared_is_not_computed_again():
    log = Log()
    task = fake_task(log, prepare=raising(ImageError("gone"), "i001"))
    envelopes = list(run_items(things(3), task, batch_size=3, keeper=kept("i000", "i002")))
    assert log.batches == []
    assert [e.status.value for e in envelopes] == ["converged", "failed", "converged"]


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    listen()
    yield
    listen()  # forgets what was asked for
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_computation_and_writes_what_was_computed(signals, number):
    log, shelf, went_on = Log(), Shelf(), []

    def compute(batch: list[str]) -> None:
        if "i004" in batch:
            os.kill(os.getpid(), number)
            for _ in range(600):  # as an optimisation would go on, if nothing stopped it
                time.sleep(0.1)
            went_on.append(True)

    task = fake_task(log, compute=compute, write=lambda _: time.sleep(0.05))
    done = []
    with pytest.raises(Interrupted):
        done += [done.append(envelope.item) for envelope in run_items(things(9), task, batch_size=2, keeper=shelf)]
    assert not went_on
    assert done == shelf.appended == ["i000", "i001", "i002", "i003"]
    assert log.count("write") == log.count("written") == 4


def test_an_interrupt_while_waiting_for_names_ends_the_run(signals):
    forever = threading.Event()

    def names():
        yield Thing("only")
        forever.wait(60)

    run = run_items(names(), fake_task(Log()))
    assert next(run).item == "only"
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
        next(run)
    forever.set()


def test_an_interrupt_between_items_is_not_lost(signals):
    run = run_items(things(100), fake_task(Log(), slow=0.01))
    done = [next(run).item]
    os.kill(os.getpid(), signal.SIGINT)  # the caller is at work, shielded
    with pytest.raises(Interrupted):
        done += [done.append(envelope.item) for envelope in run]
    assert 1 <= len(done) < 100
    assert done == [thing.name for thing in things(len(done))]


def test_a_caller_who_stops_listening_loses_nothing_that_was_computed():
    log, shelf = Log(), Shelf()
    run = run_items(chain(things(20)), fake_task(log), keeper=shelf)
    next(run)
    run.close()
    assert log.count("computed") == log.count("written") == len(shelf.appended)
