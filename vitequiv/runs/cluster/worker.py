"""A worker: one process with an encoder, which computes the batches it is given and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic

import torch

from vitequiv._version import __version__
from vitequiv.batching import BatchSize
from vitequiv.encoders.base import Encoder, VisionTower
from vitequiv.encoders.device import resolve_device
from vitequiv.runs.cluster import tensors
from vitequiv.runs.cluster.choice import Crew
from vitequiv.runs.engine.batch import compute_batch
from vitequiv.runs.engine.computer import footprint
from vitequiv.runs.engine.task import D, Failure, R, Work
from vitequiv.runs.notes import told


@dataclass(frozen=True)
class Report:
    """What a worker says of a batch, apart from its results.

    Args:
        notes: What the user should know.
    """

    notes: tuple[str, ...]


def traveller(encoder: Encoder) -> Encoder:
    """The part of an encoder that a worker needs: the network and how images are shown to it, on the CPU.

    Args:
        encoder: An encoder on the CPU.

    Returns:
        The encoder without head, text tower and official processors.
    """
    return replace(encoder, tower=VisionTower(encoder.tower.module, encoder.preprocessing))


class Worker(Generic[D, R]):
    """Computes batches in a process of Ray's.

    Args:
        encoder: What `traveller` made. On a CPU its weights are used where Ray mapped them.
        work: From an encoder to the work.
        crew: What each worker gets.
    """

    def __init__(self, encoder: Encoder, work: Callable[[Encoder], Work[D, R]], crew: Crew) -> None:
        torch.set_num_threads(crew.threads)
        tensors.register()
        self._device = resolve_device(crew.device)
        encoder.tower.module.to(self._device)
        self._neighbours = 1 if crew.gpus else crew.neighbours
        self._work = work(replace(encoder, device=self._device))
        if self._work.within:
            self._work.within.neighbours = self._neighbours
        self._size = BatchSize()

    def version(self) -> str:
        """Say that the worker is there, and of which vitequiv."""
        return __version__

    def size(self, data: D) -> int:
        """How many items to compute together, from this machine's free memory; see `BatchSize.choose`."""
        return BatchSize(neighbours=self._neighbours).choose(self._device, lambda: footprint(self._work, data))

    def compute(self, batch: Sequence[D]) -> tuple[Report, list[R | Failure]]:
        """Compute a batch; see `compute_batch`."""
        notes: list[str] = []
        with told(notes.append):
            results = compute_batch(self._work, batch, self._size, notes.append)
        return Report(tuple(notes)), results
