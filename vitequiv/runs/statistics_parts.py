"""The batches of pairs of one model that have ended, kept until the run ends: an interrupt loses one of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from vitequiv.errors import OutputError
from vitequiv.files.reading import parse_json
from vitequiv.images.save import save_tensors
from vitequiv.results.cost import Cost
from vitequiv.results.parse import parse
from vitequiv.results.statistics import PairRecord
from vitequiv.results.status import Status
from vitequiv.runs.directory import RunDirectory
from vitequiv.runs.inside import is_inside, make_inside


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
        key: All that decides what comes of a pair of files; a part is only used with the key that it was made with.
        identities: The pairs to match, each by its files and what is in them; a part is only used for the same ones.
        device: Where embeddings are wanted.
        resume: Whether what is there may be used.
    """

    def __init__(
        self, out: RunDirectory, key: str, identities: Sequence[str], device: torch.device, resume: bool
    ) -> None:
        self._out = out
        self._key = key
        self._identities = identities
        self._folder = out.parts / key[:16]
        self._device = device
        self._resume = resume

    def load(self, first: int) -> list[MatchedPair]:
        """Read the batch that begins at a pair.

        Args:
            first: The pair's number.

        Returns:
            The pairs; none if there is no such batch, or it is damaged or of another run.
        """
        from safetensors import SafetensorError, safe_open

        path = self._path(first)
        # A pipe would be waited for, and a link can lead anywhere.
        if not (self._resume and path.is_file() and is_inside(path, self._out.path)):
            return []
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
            kept = parse(tuple[_Kept, ...], parse_json(about["pairs"].encode()), "pairs")
            if about["sha256"] != self._digest(first, len(kept), about["pairs"], tensors):
                return []
            return [
                MatchedPair(one.record, tensors[str(i)].to(self._device) if one.matched else None, one.cost)
                for i, one in enumerate(kept)
            ]
        except (OSError, SafetensorError, ValueError, LookupError):
            return []

    def save(self, first: int, pairs: Sequence[MatchedPair]) -> None:
        """Keep a batch, if all of it was measured: what failed is tried again. What cannot be kept is only slower.

        Args:
            first: The number of its first pair.
            pairs: The pairs.
        """
        if any(pair.record.status is Status.FAILED for pair in pairs):
            return
        text = json.dumps([asdict(_Kept(pair.record, pair.embedding is not None, pair.cost)) for pair in pairs])
        tensors = {str(i): pair.embedding.cpu() for i, pair in enumerate(pairs) if pair.embedding is not None}
        with suppress(OutputError, OSError):
            for folder in (self._out.parts, self._folder):
                make_inside(folder, self._out.path)
            save_tensors(
                self._path(first), tensors, {"pairs": text, "sha256": self._digest(first, len(pairs), text, tensors)}
            )

    def _path(self, first: int) -> Path:
        return self._folder / f"{first:06}.safetensors"

    def _digest(self, first: int, count: int, text: str, tensors: Mapping[str, Tensor]) -> str:
        made = hashlib.sha256(json.dumps([self._key, *self._identities[first : first + count], text]).encode())
        for name in sorted(tensors):
            made.update(f"{name} {tensors[name].dtype} ".encode())
            made.update(tensors[name].contiguous().flatten().view(torch.uint8).numpy().data)
        return made.hexdigest()


@dataclass(frozen=True)
class _Kept:
    """A pair beside its tensor: JSON in the file's header."""

    record: PairRecord
    matched: bool
    cost: Cost
