"""One source to eight targets and eight sources to one target in one run, beside a run a pair, in one process.

    python -m tests.benchmarks.match_many --photos FOLDER [--model SPEC] [--rounds 5]

Counts what is decoded and every image that the network is given, and takes the ratio of the median times of
rounds that alternate. What is timed is `run_matches` without its writer, for the plots would drown a small model.
Also printed: which share of the passes the first evaluations at one shared source are beyond the first, the most
that sharing them could save.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import torch

from tests.benchmarks.match import draw_pairs
from vitequiv.encoders.base import Encoder, VisionTower
from vitequiv.encoders.load import load_encoder
from vitequiv.matching.goal import Goal
from vitequiv.matching.solvers import make_solver
from vitequiv.runs import match as verb
from vitequiv.runs import seen
from vitequiv.runs.context import describe_run
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.worklist.items import Pair
from vitequiv.runs.worklist.pairs import named

COUNT = 8


@dataclass
class Tally:
    """What was done.

    Args:
        decoded: Image files decoded, those of results left out.
        embedded: Images given to the network.
        passes: Passes that the results report.
        seconds: Time.
    """

    decoded: int = 0
    embedded: int = 0
    passes: int = 0
    seconds: float = 0.0


class Counted(torch.nn.Module):
    """A network that counts what it is given."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner, self.items = inner, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.items += len(x)
        return self.inner(x)


def measure(encoder: Encoder, runs: list[list[Pair]], solver: str, cosine: float) -> Tally:
    """Do some runs and count.

    Args:
        encoder: The encoder.
        runs: The pairs of each.
        solver: The step rule's name.
        cosine: The goal.

    Returns:
        The counts of all together.
    """
    tally = Tally()
    counted = Counted(encoder.tower.module)
    encoder = replace(encoder, tower=VisionTower(counted, encoder.preprocessing))
    load = seen.load_image

    def decode(path):
        tally.decoded += 1
        return load(path)

    def write(encoder, item, inputs, result, goal, context, *_):
        return context.envelope(item, result.status, result.message, inputs, cost=result.cost)

    context = describe_run("match", encoder, {}, 0)
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(seen, "load_image", decode),
        patch.object(verb, "write_match", write),
    ):
        began = time.perf_counter()
        for pairs in runs:
            plan = verb.MatchPlan(make_solver(solver), Goal(cosine=cosine), COUNT, seed=0)
            for envelope in verb.run_matches(encoder, pairs, plan, context, RunDirectory(Path(folder), "match")):
                tally.passes += envelope.cost.passes
        tally.seconds = time.perf_counter() - began
    tally.embedded = counted.items
    return tally


def cases(photos: Path) -> dict[str, list[Pair]]:
    """The pairs of each case; the one image and the eight are drawn."""
    order = list(dict.fromkeys(path for pair in draw_pairs(photos, 40, 0) for path in pair))
    one, several = order[0], order[1 : COUNT + 1]
    return {
        f"1 source x {len(several)} targets": named([(one, other, None) for other in several]),
        f"{len(several)} sources x 1 target": named([(other, one, None) for other in several]),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-clip")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--cosine", type=float, default=0.99)
    parser.add_argument("--solver", default="nystrom")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    encoder = load_encoder(options.model)
    print(f"{encoder.spec}, {options.solver} to cosine {options.cosine}, {torch.get_num_threads()} threads")
    print("| case | decoded | given to the network | passes reported | time, single / one run | first forward |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, pairs in cases(options.photos).items():
        ways = {"one": [pairs], "single": [[pair] for pair in pairs]}
        tallies = {way: [] for way in ways}
        for _ in range(options.rounds):
            for way, runs in ways.items():
                tallies[way].append(measure(encoder, runs, options.solver, options.cosine))
        one, single = (tallies[way][0] for way in ("one", "single"))
        ratio = statistics.median(t.seconds for t in tallies["single"]) / statistics.median(
            t.seconds for t in tallies["one"]
        )
        share = (len(pairs) - 1) / one.passes if len({pair.source for pair in pairs}) == 1 else 0
        print(
            f"| {name} | {single.decoded} / {one.decoded} | {single.embedded} / {one.embedded} | "
            f"{single.passes} / {one.passes} | x{ratio:.2f} | {share:.1%} |"
        )


if __name__ == "__main__":
    main()
