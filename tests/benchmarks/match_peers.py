"""Passes, L2 and seconds at cosine 0.9, 0.95 and 0.99: vitequiv's solvers beside what other libraries offer.

    PYTHONPATH=.:PEERS python -m tests.benchmarks.match_peers --model hf:DIR --photos FOLDER --pairs 8 --seed 0

where PEERS is a folder made by `pip install --target PEERS --no-deps` of adversarial-robustness-toolbox, plenoptic and
foolbox, and of what they import; one that is not installed has a row that says so. Pairs are drawn at random from the
folder with the seed; none is left out. Every method gets the same pairs, budget and count of passes (see
`peers.recorder`), and is measured at its current iterate, unrounded and in the box. Each is tried at a few settings;
the best is the one that brings most pairs to 0.99, then in the fewest median passes (whatever its L2). With `--tune N`
and `--tune-passes M` the settings are compared on the first N pairs and in M passes (where none reaches 0.99, by how
they do at 0.95, and so on down), and only the best is run on all and in full; and
vitequiv's own default, whether it is the best or not. The reference for L2 is gradient descent
with step 1e-3 on the same pair; it is given `--reference-passes`, so that slow models have one too, while its own row
among the methods stops at `--max-passes` like all others. What the file of `--json` holds already, from an earlier run
that was stopped or had another budget, is not run again where it would go the same way; passes and L2 do not depend on
when a run was made, seconds do.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import shlex
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.benchmarks.match import THRESHOLDS, draw_pairs
from tests.benchmarks.peers.methods import Attack, Method, Setting, all_methods, vitequiv_attack
from tests.benchmarks.peers.recorder import THERE, Enough, Outcome, Recorder, outcome_from_json
from tests.benchmarks.peers.table import HEADER, Row, missing_row, reference_line
from vitequiv.encoders.load import load_encoder
from vitequiv.images.decode import load_image
from vitequiv.images.save import atomic_write_bytes
from vitequiv.maps import Embed
from vitequiv.matching.solvers import make_solver

REFERENCE_STEP = 1e-3


def run_attack(attack: Attack, embed: Embed, source: Tensor, target: Tensor, max_passes: int) -> Outcome:
    """Let an attack loose on a pair until it is there, has spent its passes, or gives up."""
    recorder = Recorder(embed, source, target, max_passes)
    try:
        attack(recorder)
    except Enough as reason:
        recorder.outcome.ended = str(reason)
    except (ValueError, ArithmeticError) as error:  # plenoptic's word for NaN; the table says so
        recorder.outcome.ended = recorder.outcome.error = f"{type(error).__name__}: {error}"
    recorder.stop()
    return recorder.outcome


def tells(run: Mapping[str, Any], max_passes: int) -> bool:
    """Whether a run of an attack says how it goes in a budget: it had that, or was there before either was spent."""
    arrived: bool = run["ended"] == THERE and run["passes"] <= max_passes
    return arrived or run["max_passes"] == max_passes


class Benchmark:
    """One model: its pairs, the outcomes so far, and the rows made of them."""

    def __init__(
        self, spec: str, options: argparse.Namespace, runs: list[dict[str, Any]], save: Callable[[], None]
    ) -> None:
        self.options, self.encoder = options, load_encoder(spec, device=options.device)
        self.pairs = draw_pairs(options.photos, options.pairs, options.seed)
        photos = {path for pair in self.pairs for path in pair}
        self.pixels = {p: self.encoder.batch(self.encoder.preprocess(load_image(p).image)) for p in sorted(photos)}
        self.runs, self.save = runs, save
        reference = vitequiv_attack(make_solver("gd", REFERENCE_STEP))
        budget = max(options.max_passes, options.reference_passes)
        self.reference = self.outcomes("reference", Setting(f"gd, step_size {REFERENCE_STEP}", reference), 0, budget)

    def outcomes(
        self, method: str, setting: Setting, first: int, max_passes: int, last: int | None = None
    ) -> list[Outcome]:
        """Run a setting on pairs first to last."""
        made = []
        for source, target in self.pairs[first:last]:
            names = {"method": method, "setting": setting.name, "source": source.name, "target": target.name}
            same = (run for run in self.runs if names.items() <= run.items())
            known = next((run for run in same if tells(run, max_passes)), None)
            if known:
                made.append(outcome_from_json(known))
                continue
            pixels = self.pixels[source], self.pixels[target]
            outcome = run_attack(setting.attack, self.encoder.embed, *pixels, max_passes)
            gc.collect()  # an attack that was ended by an exception leaves its last graph in a cycle of frames
            made.append(outcome)
            self.runs.append(names | {"max_passes": max_passes, "passes": outcome.passes} | dataclasses.asdict(outcome))
            print(json.dumps(self.runs[-1]), file=sys.stderr, flush=True)
            self.save()
        return made

    def rows(self, method: Method) -> tuple[list[Row], list[Row]]:
        """Rows on all pairs and in full: the best setting's and the default's; and the rows of the other settings."""
        tune, passes = self.options.tune or len(self.pairs), self.options.tune_passes or self.options.max_passes
        tried = []
        for setting in method.settings:
            outcomes = self.outcomes(method.name, setting, 0, passes, tune)
            tried.append((Row(method.name, setting.name, outcomes, self.reference), setting))
        tried.sort(key=lambda pair: pair[0].rank())
        whole, rest = [], []
        for place, (row, setting) in enumerate(tried):
            if place and not setting.default:
                rest.append(row)
                continue
            kept = row.outcomes if passes == self.options.max_passes else []
            more = self.outcomes(method.name, setting, len(kept), self.options.max_passes)
            name = row.setting + (", its default" if setting.default else "")
            whole.append(dataclasses.replace(row, setting=name, outcomes=[*kept, *more]))
        return whole, rest


def report(benchmark: Benchmark, methods: list[Method]) -> None:
    """Run all methods and print their tables."""
    options, pairs = benchmark.options, benchmark.pairs
    print(f"## {benchmark.encoder.spec}\n\n{len(pairs)} random pairs (seed {options.seed}):")
    print(", ".join(f"{a.stem} to {b.stem}" for a, b in pairs) + f". At most {options.max_passes} passes each.")
    print("Each cell: median passes / median L2 over gradient descent's at step 1e-3 / pairs that reached it.")
    print(f"Seconds: median to cosine {max(THRESHOLDS)}. A pair that did not get there counts as infinite.")
    print(reference_line(benchmark.reference) + "\n")
    print(HEADER, flush=True)
    others: list[Row] = []
    for method in methods:
        if why := method.why_missing():
            print(f"{method.name}: {why}", file=sys.stderr)
            print(missing_row(method.name), flush=True)
            continue
        whole, rest = benchmark.rows(method)
        others += rest
        print("\n".join(map(str, whole)), flush=True)
    where = f", on the first {options.tune} pairs" if options.tune else ""
    where += f", in at most {options.tune_passes} passes" if options.tune_passes else ""
    print(f"\nOther settings tried{where}:\n\n{HEADER}")
    print("\n".join(map(str, others)) + "\n", flush=True)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", action="append", required=True, metavar="SPEC", help="can be given more than once")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-passes", type=int, default=2600)
    parser.add_argument("--reference-passes", type=int, default=10000)
    parser.add_argument("--tune", type=int, default=0, metavar="N", help="compare settings on the first N pairs only")
    parser.add_argument("--tune-passes", type=int, metavar="M", help="budget while settings are compared")
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="only those whose name starts so")
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="the numbers of every pair, rewritten after each; gone on from"
    )
    options = parser.parse_args(arguments)

    command = shlex.join(["python", "-m", "tests.benchmarks.match_peers", *(arguments or sys.argv[1:])])
    methods = [m for m in all_methods() if m.name.startswith(tuple(options.methods or [""]))]
    versions = {"torch": str(torch.__version__)}
    versions |= {m.package: metadata.version(m.package) for m in methods if m.package and not m.why_missing()}
    print(f"    {command}\n\n" + ", ".join(f"{name} {version}" for name, version in versions.items()) + "\n")
    runs: dict[str, list[dict[str, Any]]] = {spec: [] for spec in options.model}
    if options.json and options.json.exists():
        runs |= {model["model"]: model["runs"] for model in json.loads(options.json.read_text())["models"]}

    def save() -> None:
        if options.json:
            models = [{"model": spec, "runs": made} for spec, made in runs.items()]
            atomic_write_bytes(
                options.json,
                json.dumps({"command": command, "versions": versions, "models": models}, indent=1).encode() + b"\n",
            )

    for spec in options.model:
        report(Benchmark(spec, options, runs[spec], save), methods)


if __name__ == "__main__":
    main()
