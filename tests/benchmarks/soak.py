"""The soak: many pairs, killed at many random moments, resumed each time, compared with an undisturbed run.

    python -m tests.benchmarks.soak --pairs 300 --kills 50 --folder /tmp/soak

Prints a line a kill and the verdict; exit code 1 if anything was lost, doubled or different.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time
from pathlib import Path

from tests.resumed import contents, listed


def make_pairs(folder: Path, count: int) -> Path:
    """Render scenes and pair each with the next; every tenth source is a file that is no image."""
    subprocess.run(
        [sys.executable, "-m", "vitequiv", "scenes", folder / "scenes", "--count", str(count + 1), "--quiet"],
        check=True,
    )
    images = sorted((folder / "scenes").rglob("*.png"))
    bad = folder / "bad.png"
    bad.write_bytes(b"not an image")
    rows = [f"{bad if i % 10 == 9 else images[i]},{images[i + 1]}" for i in range(count)]
    pairs = folder / "pairs.csv"
    pairs.write_text("source,target\n" + "\n".join(rows) + "\n")
    return pairs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cosine", default="0.9")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    pairs = make_pairs(asked.folder, asked.pairs)
    command = [sys.executable, "-m", "vitequiv", "match", "--pairs", pairs, "--cosine", asked.cosine, "--quiet"]
    began = time.monotonic()
    subprocess.run([*command, "--out", asked.folder / "whole"], stdout=subprocess.DEVNULL, check=False)
    seconds = time.monotonic() - began
    print(f"undisturbed: {seconds:.1f} s", flush=True)
    # A moment counts from when the run has something to lose, else most kills would meet the start of Python.
    out, chance, kills = asked.folder / "killed", random.Random(asked.seed), 0
    each = seconds / asked.kills
    while kills < asked.kills:
        process = subprocess.Popen(
            [*command, "--out", out, "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        record = out / "match.run.json"
        before = record.stat().st_mtime_ns if record.exists() else 0
        while process.poll() is None and not (record.exists() and record.stat().st_mtime_ns > before):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, each))
        alive = process.poll() is None
        process.kill()
        process.wait()
        kills += 1
        lines = (out / "results.jsonl").read_bytes().count(b"\n")
        whole = len(list(out.glob("*/match.json")))
        print(f"kill {kills}: {'at work' if alive else 'had ended'}, {lines} lines, {whole} items whole", flush=True)
    subprocess.run([*command, "--out", out, "--resume"], stdout=subprocess.DEVNULL, check=False)
    expected, found = listed(asked.folder / "whole"), listed(out)
    files, other = contents(asked.folder / "whole"), contents(out)
    verdict = {
        "items": len(found),
        "lost": len({r["item"] for r in expected} - {r["item"] for r in found}),
        "doubled": len(found) - len({r["item"] for r in found}),
        "lines that differ": sum(a != b for a, b in zip(expected, found, strict=False)),
        "files": len(files),
        "files that differ": sum(files.get(name) != other.get(name) for name in {*files, *other}),
        "temporary files": len(list(out.rglob(".vitequiv*"))),
    }
    print(verdict)
    wrong = sum(value for name, value in verdict.items() if name not in {"items", "files"})
    return int(wrong > 0 or len(found) != asked.pairs)


if __name__ == "__main__":
    sys.exit(main())
