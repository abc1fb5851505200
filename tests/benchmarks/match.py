"""Passes and L2 at cosine 0.9, 0.95 and 0.99 for each solver, on the same pairs of photos, in one process.

    python -m tests.benchmarks.match --model hf:DIR --photos FOLDER --pairs 8 --seed 0

Pairs are drawn at random from the folder with the seed; none is left out. Every solver gets the same pairs and budget.
A pair that does not reach a cosine counts as infinitely many passes, so a median is that of all pairs; how many reached
it is printed beside it. Times are not printed: passes are what is compared.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.encoders.base import Encoder
from vitequiv.encoders.load import load_encoder
from vitequiv.images.decode import load_image
from vitequiv.images.suffixes import IMAGE_SUFFIXES
from vitequiv.matching.goal import Goal
from vitequiv.matching.loop import minimise
from vitequiv.matching.names import SolverName
from vitequiv.matching.objective import cosine_similarity
from vitequiv.matching.solvers import AnySolver, make_solver

THRESHOLDS = (0.9, 0.95, 0.99)
Reached = dict[float, tuple[int, float]]
"""Passes and L2 at the first evaluation that reaches each cosine."""


def draw_pairs(folder: Path, count: int, seed: int) -> list[tuple[Path, Path]]:
    """Draw pairs of different photos, without replacement of ordered pairs."""
    photos = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    pairs = [(a, b) for a in photos for b in photos if a != b]
    if len(pairs) < count:
        raise SystemExit(f"{folder} has {len(photos)} photos, too few for {count} pairs.")
    order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))[:count].tolist()
    return [pairs[i] for i in order]


def measure(encoder: Encoder, source: Tensor, target: Tensor, solver: AnySolver, max_passes: int) -> Reached:
    """Run one solver on one pair and note when it first reaches each cosine.

    Args:
        encoder: The encoder.
        source: (1, 3, H, W).
        target: (1, 3, H, W).
        solver: The step rule.
        max_passes: The budget.
    """
    with torch.no_grad():
        wanted = encoder.embed(target)
    seen: list[tuple[float, float]] = []

    def embed(pixels: Tensor) -> Tensor:
        embedding = encoder.embed(pixels)
        distance = (pixels - source).double().norm().item()
        seen.append((cosine_similarity(embedding.detach(), wanted).item(), distance))
        return embedding

    goal = Goal(cosine=max(THRESHOLDS), max_passes=max_passes, on_lattice=False)
    run = minimise(embed, source, wanted, solver, goal)[0]
    reached: Reached = {}
    for row, (cosine, distance) in zip(run.trajectory, seen, strict=False):
        for threshold in THRESHOLDS:
            if cosine >= threshold and threshold not in reached:
                reached[threshold] = (row.passes, distance)
    return reached


def row(name: str, results: list[Reached]) -> str:
    """One line of the table."""
    cells = [name]
    for threshold in THRESHOLDS:
        passes = statistics.median(r[threshold][0] if threshold in r else float("inf") for r in results)
        lengths = [r[threshold][1] for r in results if threshold in r]
        length = f"{statistics.median(lengths):.2f}" if lengths else "-"
        cells.append(f"{passes:.0f} / {length} ({len(lengths)} of {len(results)})")
    return "| " + " | ".join(cells) + " |"


def parse_solver(text: str) -> tuple[str, AnySolver]:
    """`NAME` or `NAME=STEP_SIZE`."""
    name, _, step = text.partition("=")
    return text, make_solver(name, float(step) if step else None)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-clip")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-passes", type=int, default=3000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--solvers", nargs="+", default=list(SolverName), metavar="NAME[=STEP_SIZE]")
    options = parser.parse_args(arguments)

    encoder = load_encoder(options.model, device=options.device)
    pairs = draw_pairs(options.photos, options.pairs, options.seed)
    pixels = {path: encoder.preprocess(load_image(path).image)[None] for pair in pairs for path in pair}
    print(f"{encoder.spec}: {len(pairs)} random pairs (seed {options.seed}), at most {options.max_passes} passes each")
    print("Each cell: median passes / median L2 (pairs that reached it).\n")
    print("| solver | " + " | ".join(f"cosine {t}" for t in THRESHOLDS) + " |\n" + "| --- " * 4 + "|")
    for text in options.solvers:
        name, solver = parse_solver(text)
        results = []
        for source, target in pairs:
            results.append(measure(encoder, pixels[source], pixels[target], solver, options.max_passes))
            print(f"{name}: {source.stem} to {target.stem}: {results[-1]}", file=sys.stderr)
        print(row(name, results), flush=True)


if __name__ == "__main__":
    main()
