"""Memory over the length of the list, and a folder run against a shell loop of single calls.

python -m tests.benchmarks.long_runs --folder /tmp/long --sizes 10 100 1000 --loop 20
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.benchmarks.soak import make_pairs


def measured(command: list[object], **options) -> tuple[float, float]:
    """Seconds, and the most memory that the process had in MiB."""
    began = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, **options)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.monotonic() - began, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--loop", type=int, default=20)
    parser.add_argument("--cosine", default="0.8")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    pairs = make_pairs(asked.folder, max(asked.sizes))
    lines = pairs.read_text().splitlines()
    command = [sys.executable, "-m", "vitequiv", "match", "--cosine", asked.cosine, "--quiet", "--format", "json"]
    for size in asked.sizes:
        part = asked.folder / f"pairs{size}.csv"
        part.write_text("\n".join(lines[: size + 1]) + "\n")
        seconds, peak = measured([*command, "--pairs", part, "--out", asked.folder / f"out{size}"])
        print(f"{size} pairs: {seconds:.1f} s, {peak:.0f} MiB at most", flush=True)
    part = asked.folder / "loop.csv"
    part.write_text("\n".join(lines[: asked.loop + 1]) + "\n")
    together, _ = measured([*command, "--pairs", part, "--out", asked.folder / "together"])
    began = time.monotonic()
    for line in lines[1 : asked.loop + 1]:
        source, target = line.split(",")
        measured([*command, source, target, "--out", asked.folder / "loop"], stderr=subprocess.DEVNULL)
    alone = time.monotonic() - began
    print(f"{asked.loop} pairs: one call {together:.1f} s, a shell loop {alone:.1f} s: {alone / together:.1f} times")


if __name__ == "__main__":
    main()
