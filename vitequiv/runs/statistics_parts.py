"""The batches of pairs of one model that have ended, kept until the model's folder is whole: an interrupt loses one."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vitequiv.errors import OutputError
from vitequiv.images.save import save_tensors
from vitequiv.results.classify import Guess
from vitequiv.results.cost import Cost
from vitequiv.results.envelope import jsonable
from vitequiv.results.match import Perturbation
from vitequiv.results.statistics import PairRecord
from vitequiv.results.status import Status
from vitequiv.runs.context import RunContext
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.inside import make_inside
from vitequiv.runs.record import NO_DIFFERENCE

FOLDER = "statistics.parts"
"""Beside the results that are to come; removed when they are there."""


@dataclass(frozen=True, eq=False)
class MatchedPair:
    """A pair that was matched.

    Args:
        record: What is said of it.
        embedding: Of the 8-bit result, (n,); None if it failed.
        cost: What it took.
    """

    record: PairRecord
    embedding: Tensor | None
    cost: Cost


class Parts:
    """What a model's run has matched so far, batch by batch, on disk.

    Args:
        out: The run's directory.
        item: The model's item.
        context: What its envelope will say; a part made with other settings or weights is not used.
        digests: SHA-256 of each drawn image's file by its path; a part made of other files is not used.
        device: Where embeddings are wanted.
        resume: Whether what is there may be used; else it is removed.
    """

    def __init__(
        self,
        out: RunDirectory,
        item: str,
        context: RunContext,
        digests: Mapping[str, str | None],
        device: torch.device,
        resume: bool,
    ) -> None:
        self._out = out
        self._folder = out.path / item / FOLDER
        self._key = _key(context)
        self._digests = digests
        self._device = device
        if not resume:
            self.remove()

    def load(self, first: int) -> list[MatchedPair]:
        """Read the batch that begins at a pair.

        Args:
            first: The pair's number.

        Returns:
            The pairs; none if there is no such batch, or it is damaged or of another run.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._path(first), framework="pt") as file:
                about = json.loads((file.metadata() or {})["part"])
                if about["key"] != self._key:
                    return []
                pairs = [
                    MatchedPair(
                        _record(entry["record"]),
                        file.get_tensor(str(i)).to(self._device) if entry["matched"] else None,
                        Cost(**entry["cost"]),
                    )
                    for i, entry in enumerate(about["pairs"])
                ]
        except (OSError, SafetensorError, ValueError, LookupError, TypeError):
            return []
        return pairs if about["digests"] == self._of([pair.record for pair in pairs]) else []

    def save(self, first: int, pairs: Sequence[MatchedPair]) -> None:
        """Keep a batch, if all of it was measured: what failed is tried again. What cannot be kept is only slower.

        Args:
            first: The number of its first pair.
            pairs: The pairs.
        """
        if any(pair.record.status is Status.FAILED for pair in pairs):
            return
        entries = [
            {"record": asdict(pair.record), "matched": pair.embedding is not None, "cost": asdict(pair.cost)}
            for pair in pairs
        ]
        about = {"key": self._key, "digests": self._of([pair.record for pair in pairs]), "pairs": entries}
        tensors = {str(i): pair.embedding for i, pair in enumerate(pairs) if pair.embedding is not None}
        with suppress(OutputError, OSError):
            for folder in (self._folder.parent, self._folder):
                make_inside(folder, self._out.path)
            save_tensors(self._path(first), tensors, {"part": json.dumps(about)})

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:06}.safetensors"

    def _of(self, records: Sequence[PairRecord]) -> list[list[str | None]]:
        return [[self._digests.get(record.source), self._digests.get(record.target)] for record in records]


def clear_parts(out: RunDirectory) -> None:
    """Remove what a run left that was killed between its results and its last clearing up.

    Args:
        out: The run's directory.
    """
    for folder in out.path.glob(f"*/{FOLDER}"):
        if out.result(folder.parent.name).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _key(context: RunContext) -> str:
    settings = {name: setting.value for name, setting in context.settings.items() if name not in NO_DIFFERENCE}
    text = json.dumps([jsonable(settings), context.model.spec, context.model.weights_sha256], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _record(entry: Mapping[str, Any]) -> PairRecord:
    """Read what `dataclasses.asdict` made of a record."""
    guesses = {name: entry[name] and Guess(**entry[name]) for name in ("before", "after", "target_class")}
    change = entry["perturbation"] and Perturbation(**entry["perturbation"])
    return PairRecord(**{**entry, **guesses, "status": Status(entry["status"]), "perturbation": change})
