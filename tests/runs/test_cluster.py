"""Workers of a Ray of this machine: the same results as in this process, whatever becomes of a worker."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from tests.runs.fakes import Log, Shelf, Thing, fake_task, things
from tests.runs.narrow import narrow_encoder
from vitequiv import batching, load_encoder
from vitequiv.batching import BatchSize
from vitequiv.encoders.base import Encoder
from vitequiv.errors import UsageError
from vitequiv.results.status import Status
from vitequiv.runs.cluster.choice import Crew, Node, Wish, choose_crew
from vitequiv.runs.cluster.link import Cluster, connected
from vitequiv.runs.cluster.pool import Pool
from vitequiv.runs.cluster.tensors import from_wire, mapped, to_wire
from vitequiv.runs.cluster.worker import Worker, traveller
from vitequiv.runs.engine.loop import run_items
from vitequiv.runs.engine.task import Elsewhere, Failure, Task, Work
from vitequiv.runs.ldlc import LdlcData, LdlcPlan, ldlc_work
from vitequiv.runs.worklist.items import Item

ROOT = Path(__file__).parents[2]
CREW = Crew(2, 1, "cpu", 2)
BLAME = "The fake failed on this item"
Found = tuple[str, int, int, torch.Tensor]


def meet(folder: Path, name: str) -> None:
    (folder / name).touch()
    deadline = time.monotonic() + 120  # a worker may take half a minute to start on a busy machine
    while len(list(folder.glob("meet-*"))) < 2:
        assert time.monotonic() < deadline, "nobody else came"
        time.sleep(0.01)


def deadly_work(encoder: Encoder, folder: Path) -> Work[str, Found]:
    """Names in; the same in capitals, the process, its threads and an embedding out. Some names end the process.

    Whoever meets "meet-1" or "meet-2" waits for the other of them: two processes must be at work.
    """

    def one(name: str) -> Found | Failure:
        tombstone = folder / name
        if name.startswith("meet"):
            meet(folder, name)
        if name == "killer" or (name == "once" and not tombstone.exists()):
            tombstone.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name == "raises":
            raise RuntimeError("red\nand more")
        if name == "refused":
            return Failure("there is no way")
        generator = torch.Generator().manual_seed(len(name))
        pixels = torch.rand(1, 3, *encoder.input_size, generator=generator)
        return name.upper(), os.getpid(), torch.get_num_threads(), encoder.embed(pixels)[0]

    return Work(lambda batch: [one(name) for name in batch], BLAME)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("tiny-clip")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tombstones")


@contextmanager
def environment(name: str, value: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def pool(encoder, folder) -> Iterator[Pool[str, Found]]:
    """Two workers that import this file; one Ray for all tests here."""
    task = replace(fake_task(Log()), elsewhere=Elsewhere(partial(deadly_work, folder=folder)))
    with (
        environment("PYTHONPATH", str(ROOT)),
        connected(Wish(workers=2), "cpu") as cluster,
        cluster.pool(encoder, task, lambda note: pytest.fail(note)) as pool,
    ):
        assert cluster == Cluster(CREW)
        yield pool


def task_of(results: dict[str, Found]) -> Task[Thing, str, Found]:
    """Nothing is computed here; what comes from the workers is kept."""

    def write(item, prepared, result):
        results[item.name] = result
        return prepared_task.write(item, prepared, result[0])

    def compute(batch):
        raise AssertionError("computed here")

    prepared_task = fake_task(Log())
    return replace(prepared_task, compute=compute, write=write)


@pytest.mark.slow
def test_items_come_back_in_order_from_both_workers(pool, encoder, folder):
    results: dict[str, Found] = {}
    shelf, items = Shelf(), [Thing("meet-1"), Thing("i"), Thing("meet-2"), *things(20)]
    envelopes = list(run_items(items, task_of(results), batch_size=2, keeper=shelf, computer=pool))
    names = [thing.name for thing in items]
    assert [envelope.item for envelope in envelopes] == shelf.appended == names
    assert {envelope.status for envelope in envelopes} == {Status.CONVERGED}
    assert [envelope.result for envelope in envelopes] == [{"value": name.upper()} for name in names]
    processes = {pid for _, pid, _, _ in results.values()}
    assert len(processes) == 2
    assert os.getpid() not in processes
    for name, (_, _, threads, embedding) in results.items():
        assert threads == 1
        (expected,) = deadly_work(encoder, folder).compute(["x" * len(name)])
        assert torch.equal(embedding, expected[3])
        embedding.zero_()  # what arrives may be written to


@pytest.mark.slow
def test_a_dead_worker_costs_no_item_and_a_deadly_item_fails_alone(pool, folder):
    names = ["a", "once", "b", "killer", "c", "raises", "d", "refused", "e", "f", "g", "h"]
    envelopes = list(run_items(map(Thing, names), task_of({}), batch_size=2, computer=pool))
    assert [envelope.item for envelope in envelopes] == names
    assert {path.name for path in folder.iterdir()} - {"meet-1", "meet-2"} == {"once", "killer"}
    failed = {envelope.item: envelope.message for envelope in envelopes if envelope.status is Status.FAILED}
    assert failed == {
        "killer": f"{BLAME}: the worker that computed it died, and so did others that tried.",
        "raises": f"{BLAME}: red",
        "refused": "there is no way",
    }


@pytest.mark.slow
def test_a_model_that_cannot_be_sent_is_a_sentence(pool, encoder):
    module = torch.nn.Sequential(encoder.tower.module)
    module.handle = threading.Lock()  # what no pickle takes
    unfit = replace(encoder, tower=replace(encoder.tower, module=module))
    with pytest.raises(UsageError, match=r"tiny-clip cannot be sent to workers .*: leave out --engine ray"):
        Pool(unfit, Elsewhere(deadly_work), BLAME, CREW, print)


@pytest.mark.parametrize("share", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_tensors_survive_the_wire(dtype, share):
    values = torch.arange(24).reshape(2, 3, 4).to(dtype)
    for tensor in (values, values.permute(2, 0, 1), values[:, 1], values[0, 0, 0], values[:0]):
        with mapped() if share else environment("X", "x"):
            wire = to_wire(tensor)
        wire.array.flags.writeable = False
        back = from_wire(wire)
        assert torch.equal(back, tensor)
        assert back.dtype == dtype
        assert back.is_contiguous()
        if tensor.numel():
            assert (back.data_ptr() == wire.array.ctypes.data) is share
    assert isinstance(from_wire(to_wire(torch.nn.Parameter(torch.ones(2)))), torch.nn.Parameter)


def test_a_traveller_has_the_network_alone(encoder):
    tower = traveller(encoder).tower
    assert (tower.module, tower.text, tower.head) == (encoder.tower.module, None, None)


LAPTOP, GPU_NODE, HEAD = Node(8), Node(32, 4), Node(0)


@pytest.mark.parametrize(
    ("nodes", "wish", "device", "fixed", "crew"),
    [
        ([LAPTOP], Wish(), "auto", False, Crew(8, 1, "cpu", 8)),
        ([LAPTOP], Wish(threads=3), "auto", False, Crew(2, 3, "cpu", 2)),
        ([Node(1)], Wish(workers=2), "cpu", False, Crew(2, 1, "cpu", 2)),
        ([GPU_NODE], Wish(), "auto", False, Crew(4, 1, "cuda", 4)),
        ([GPU_NODE], Wish(), "cpu", False, Crew(32, 1, "cpu", 32)),
        ([HEAD, GPU_NODE, GPU_NODE], Wish(), "auto", True, Crew(8, 1, "cuda", 4)),
        ([HEAD, GPU_NODE, GPU_NODE], Wish(threads=16), "cuda", True, Crew(4, 16, "cuda", 2)),
        ([HEAD, LAPTOP, LAPTOP], Wish(threads=4), "auto", True, Crew(4, 4, "cpu", 2)),
        ([HEAD, LAPTOP, LAPTOP], Wish(workers=3, threads=4), "auto", True, Crew(3, 4, "cpu", 2)),
    ],
)
def test_crew(nodes, wish, device, fixed, crew):
    assert choose_crew(nodes, wish, device, fixed) == crew


@pytest.mark.parametrize(
    ("nodes", "wish", "device", "fixed", "words"),
    [
        (
            [LAPTOP],
            Wish(),
            "cuda",
            True,
            "room for 0 workers of 1 CPU thread and a GPU, not for 1: it has 8 CPUs and 0 G",
        ),
        ([LAPTOP], Wish(), "cuda", False, "room for 0 workers"),
        ([GPU_NODE], Wish(workers=5), "cuda", False, "room for 4 workers of 1 CPU thread and a GPU, not for 5"),
        ([LAPTOP, LAPTOP], Wish(workers=5, threads=4), "cpu", True, "room for 4 workers of 4 CPU threads, not for 5"),
        ([HEAD], Wish(), "cpu", True, "on 1 machine. Ask for fewer"),
    ],
)
def test_no_room(nodes, wish, device, fixed, words):
    with pytest.raises(UsageError, match=words):
        choose_crew(nodes, wish, device, fixed)


def test_a_worker_tells_of_halved_batches_and_leaves_its_neighbours_their_memory(monkeypatch):
    """In this process: half of what is free, for four workers, holds five images of each; then not even those fit."""
    encoder, network = narrow_encoder(2)
    plan = LdlcPlan(("random",), None, 4, 4, 0, 0.01, 3, False, 0, BatchSize())
    pixels = torch.rand(3, *encoder.input_size, generator=torch.Generator().manual_seed(0))
    each = batching.image_bytes(encoder.embed, pixels)
    monkeypatch.setattr(batching, "free_bytes", lambda _: 2 * 4 * 5 * each + 1)
    threads = torch.get_num_threads()
    worker = Worker(encoder, partial(ldlc_work, plan=plan), Crew(4, threads, "cpu", 4))
    report, results = worker.compute([LdlcData(Item("one", Path("one.png")), pixels)])
    assert report.notes == ("5 images together do not fit into the memory: going on with 2.",)
    assert [result.status for result in results] == [Status.CONVERGED]
    assert max(network.batches) == 5
