"""Comparing run directories: bytes, but for the times and where the directory is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def timeless(record: dict[str, Any]) -> dict[str, Any]:
    """An envelope without its time, which alone may differ between two runs."""
    return {**record, "cost": {**record["cost"], "seconds": 0}}


def contents(out: Path, verb: str = "match") -> dict[str, Any]:
    """Every file of a run directory's items: bytes, or the JSON without its time."""
    found: dict[str, Any] = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file() and path.parent != out):
        name = str(path.relative_to(out))
        found[name] = timeless(json.loads(path.read_text())) if path.name == f"{verb}.json" else path.read_bytes()
    return found


def listed(out: Path) -> list[dict[str, Any]]:
    """The lines of results.jsonl without their times, sorted by item."""
    lines = (out / "results.jsonl").read_text().splitlines()
    return sorted((timeless(json.loads(line)) for line in lines), key=lambda record: str(record["item"]))
