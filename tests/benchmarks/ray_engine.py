"""Matches with one and with two one-thread workers of a Ray of this machine: throughput, start-up apart; same files.

    python -m tests.benchmarks.ray_engine --photos FOLDER [--model SPEC] [--pairs 16] [--batch-size 1] [--rounds 3]

Each round begins Ray with one worker and with two, has every worker do a first batch, which is not timed (a process is
slower at its first), and then times a run of all pairs, written and verified as the command does it. The ratio is that
of the median throughputs. All files of all runs must be equal byte for byte, times aside. Also printed: what an item
costs this process, which is what limits many workers, and the bytes that are sent and kept.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tests.benchmarks.match import draw_pairs
from tests.resumed import contents
from vitequiv.encoders.base import Encoder
from vitequiv.encoders.load import load_encoder
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers import make_solver
from vitequiv.runs.cluster.choice import Wish
from vitequiv.runs.cluster.link import connected
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.engine.loop import run_items
from vitequiv.runs.engine.task import Task
from vitequiv.runs.match import match_task
from vitequiv.runs.match_work import MatchPlan
from vitequiv.runs.worklist.items import Pair
from vitequiv.runs.worklist.pairs import named


@dataclass
class Spent:
    """What a run took.

    Args:
        startup: Seconds from beginning Ray to the end of every worker's first batch.
        run: Seconds for all pairs.
        prepare: Seconds of this process for preparing items, all threads.
        write: Seconds of this process for writing items.
    """

    startup: float = 0.0
    run: float = 0.0
    prepare: float = 0.0
    write: float = 0.0


def clocked(task: Task[Any, Any, Any], spent: Spent) -> Task[Any, Any, Any]:
    """A task that notes what this process spends on it."""

    def prepare(item: Any) -> Any:
        began = time.perf_counter()
        try:
            return task.prepare(item)
        finally:
            spent.prepare += time.perf_counter() - began

    def write(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return task.write(*arguments)
        finally:
            spent.write += time.perf_counter() - began

    return replace(task, prepare=prepare, write=write)


def measure(encoder: Encoder, pairs: Sequence[Pair], plan: MatchPlan, workers: int, folder: Path) -> Spent:
    """Begin Ray, warm its workers, and run all pairs."""
    context, spent = describe_run("match", encoder, {}, 0), Spent()

    def run(items: Sequence[Pair], name: str, spent: Spent) -> None:
        out = RunDirectory(folder / name, "match")
        out.prepare([pair.name for pair in items], overwrite=True)
        task = clocked(match_task(encoder, plan, context, out), spent)
        failed = [e for e in run_items(items, task, batch_size=plan.batch_size, computer=pool) if e.result is None]
        if failed:
            raise SystemExit(f"{failed[0].item}: {failed[0].message}")

    began = time.perf_counter()
    task = match_task(encoder, plan, context, RunDirectory(folder, "match"))
    with connected(Wish("local", workers, 1), "cpu") as cluster, cluster.pool(encoder, task, print) as pool:
        run(pairs[: (plan.batch_size or 1) * workers * 2], "first", Spent())
        spent.startup = time.perf_counter() - began
        began = time.perf_counter()
        run(pairs, "all", spent)
        spent.run = time.perf_counter() - began
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--model", default="tiny-clip")
    parser.add_argument("--pairs", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--solver", default="gd")
    parser.add_argument("--cosine", type=float, default=0.99)
    parser.add_argument("--max-passes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    encoder = load_encoder(asked.model)
    pairs = named([(source, target, None) for source, target in draw_pairs(asked.photos, asked.pairs, 0)])
    goal = Goal(cosine=asked.cosine, max_passes=asked.max_passes)
    plan = MatchPlan(make_solver(asked.solver), goal, asked.batch_size, seed=0)

    rates: dict[int, list[float]] = {1: [], 2: []}
    spents: list[Spent] = []
    expected = None
    for number in range(asked.rounds):
        for workers, rate in rates.items():
            with tempfile.TemporaryDirectory() as folder:
                spent = measure(encoder, pairs, plan, workers, Path(folder))
                found = contents(Path(folder, "all"))
            expected = expected or found
            if found != expected:
                different = sorted(name for name in found if found[name] != expected.get(name))
                raise SystemExit(f"Results with {workers} workers are others: {', '.join(different)}")
            rate.append(len(pairs) / spent.run)
            spents.append(spent)
            print(
                f"round {number + 1}, {workers} worker(s): {rate[-1]:.3f} items/s, start-up {spent.startup:.1f} s",
                flush=True,
            )
    one, two = (statistics.median(rates[workers]) for workers in (1, 2))
    prepare, write = (statistics.median(getattr(s, what) for s in spents) / len(pairs) for what in ("prepare", "write"))
    weights = sum(t.nbytes for t in encoder.tower.module.state_dict().values())
    pixels = 3 * encoder.input_size[0] * encoder.input_size[1] * 4
    print(
        f"{len(pairs)} pairs in {asked.model}, batches of {asked.batch_size}, {os.cpu_count()} cores; all files equal."
    )
    print(f"median throughput: {one:.3f} and {two:.3f} items/s: {two / one:.2f} times with two workers")
    print(f"this process, an item: {prepare * 1e3:.0f} ms to prepare, {write * 1e3:.0f} ms to write")
    print(f"weights {weights / 2**20:.1f} MiB a machine; an image of the item {pixels / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
