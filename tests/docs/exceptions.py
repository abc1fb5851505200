"""What the tests do not run of the pages, or run smaller, and why. Tests hold these lists to be exact."""

from __future__ import annotations

from dataclasses import dataclass

ELSEWHERE = {
    "how-to/write-a-plugin.md": "tests/plugins/test_tutorial.py follows it in an environment of its own",
    "reference/schemas.md": "tests/docs/test_schemas_page.py runs them beside results that are kept",
}
"""Pages whose blocks another test runs."""

NOT_RUN = {
    ("../README.md", "python3 -m venv .venv"): "installs from the registry: .ci/run does it, command by command",
    ("../README.md", ".venv/bin/pip install '.[dev]'"): "runs all the tests: .ci/run does",
    ("how-to/install.md", "python3 -m venv .venv"): "installs from the registry: .ci/run does it",
    ("how-to/install.md", ".venv/bin/pip install torch torchvision --index-url"): "asks an index of some GB of wheels",
    ("how-to/long-runs.md", "inotifywait -m"): "waits for new files for ever",
    ("how-to/offline-cluster.md", "pip download"): "asks the registry for some GB of wheels",
    ("how-to/many-nodes.md", "vitequiv match --pairs"): "begins Ray three times: tests/cli/test_ray.py does",
    ("how-to/many-nodes.md", "ray start --head"): "needs several machines",
    ("how-to/many-nodes.md", "#!/bin/sh"): "needs Slurm",
    ("reference/run-directory.md", "python -m tests.benchmarks.soak"): "takes half an hour",
    ("how-to/long-runs.md", "python -m tests.benchmarks.long_runs"): "takes half an hour",
    ("explanation/match-benchmark.md", "python -m tests.benchmarks.match_peers --model hf"): "takes two hours",
    (
        "explanation/matching.md",
        "python -m tests.benchmarks.match",
    ): "a benchmark of many minutes, on a network of 22 M",
}
"""Blocks that are not run, by page and the beginning of the first command: `console`, and what installs."""


@dataclass(frozen=True)
class Smaller:
    """Words of a page's commands that are replaced.

    Args:
        words: From, to.
        reason: Why the page's own would not do.
    """

    words: tuple[tuple[str, str], ...]
    reason: str


SCENES, PAIRS = ("--count 512", "--count 24"), ("--count 100", "--count 2")
SMALLER = {
    "../README.md": Smaller((PAIRS,), "the folder has three photos"),
    "how-to/a-report.md": Smaller((SCENES, PAIRS), "a hundred pairs take minutes"),
    "reference/statistics-json.md": Smaller(
        (SCENES, ("--count 4096", "--count 24"), PAIRS), "a hundred pairs to 0.99999 take an hour"
    ),
}
"""Pages that are run with fewer images; each word must occur."""

ALTERNATIVES = {"../README.md": "the lines are examples, each from the start: none finds results of another in the way"}
"""Pages before each of whose commands the default output directory is emptied."""
