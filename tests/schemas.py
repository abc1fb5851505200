"""Holding all JSON that the command prints and writes to the schemas."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from vitequiv.results.schemas import load_schema
from vitequiv.results.verbs import VERBS
from vitequiv.runs.directory import JOURNAL_NAME, RECORD_SUFFIX

NAMES = {*(f"{verb}.json" for verb in VERBS), *(f"{verb}{RECORD_SUFFIX}" for verb in VERBS), JOURNAL_NAME}
Files = dict[Path, tuple[tuple[int, int], frozenset[bytes]]]
"""JSON files by path: inode and time of change, and, of a list of results, its lines."""


@cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(load_schema(name))


def faults(record: dict[str, Any]) -> list[str]:
    """What the record's schema has against it."""
    return [f"{error.json_path}: {error.message[:300]}" for error in validator(record["schema"]).iter_errors(record)]


def strict(text: str | bytes) -> Any:
    """Read JSON as the standard has it, which has no NaN."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def check(text: str | bytes) -> None:
    """Hold one JSON object to its schema."""
    found = faults(strict(text))
    assert not found, found


def check_lines(out: str) -> None:
    """Hold each JSON object on a line of standard output to its schema."""
    for line in out.splitlines():
        if line.startswith("{"):
            check(line)


def json_files(folder: Path) -> Files:
    """The JSON files of runs below a folder."""
    found = {}
    for where, _, names in os.walk(folder):
        for path in (Path(where) / name for name in NAMES.intersection(names)):
            if path.is_file() and not path.is_symlink():
                status = path.stat()
                lines = frozenset(path.read_bytes().splitlines()) if path.name == JOURNAL_NAME else frozenset()
                found[path] = ((status.st_ino, status.st_mtime_ns), lines)
    return found


def check_new(folder: Path, before: Files) -> int:
    """Hold each file and line that is new to its schema; what tests have spoilt themselves is not.

    Returns:
        How many there were.
    """
    checked = 0
    for path, (version, lines) in json_files(folder).items():
        old_version, old_lines = before.get(path, (None, frozenset()))
        if version != old_version:
            for text in lines - old_lines if path.name == JOURNAL_NAME else [path.read_bytes()]:
                check(text)
                checked += 1
    return checked
