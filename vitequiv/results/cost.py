"""The one currency of cost: passes of one image through the network."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from vitequiv.results.marks import Finite


@dataclass(frozen=True)
class CostRecord:
    """What an item took, as JSON; each image of a batch counts.

    Args:
        forwards: Evaluations of the embedding.
        vjps: Products with the transposed Jacobian (one backward).
        jvps: Products with the Jacobian.
        passes: The three together.
        seconds: Wall-clock time, to a millisecond; for an item of a batch, the batch's time until the item ended.
        peak_memory_mb: In MiB: on CUDA the most that PyTorch has allocated so far, elsewhere what the graph of the
            item's batch keeps for its backward, weights included.
    """

    forwards: int
    vjps: int
    jvps: int
    passes: int
    seconds: Finite
    peak_memory_mb: Finite


@dataclass(frozen=True)
class Cost:
    """What an item took; each image of a batch counts.

    Args:
        forwards: Evaluations of the embedding.
        vjps: Products with the transposed Jacobian (one backward).
        jvps: Products with the Jacobian, one pass each by double backward (two in forward mode, counted as two).
        seconds: Wall-clock time; for an item of a batch, the batch's time until the item ended.
        peak_memory_mb: In MiB: on CUDA the most that PyTorch has allocated so far, elsewhere what the graph of the
            item's batch keeps for its backward, weights included.
    """

    forwards: int = 0
    vjps: int = 0
    jvps: int = 0
    seconds: Finite = 0.0
    peak_memory_mb: Finite = 0.0

    @property
    def passes(self) -> int:
        """Forwards, vjps and jvps together."""
        return self.forwards + self.vjps + self.jvps

    def to_dict(self) -> dict[str, float]:
        """Returns the fields and `passes`, for JSON."""
        return asdict(
            CostRecord(
                forwards=self.forwards,
                vjps=self.vjps,
                jvps=self.jvps,
                passes=self.passes,
                seconds=round(self.seconds, 3),
                peak_memory_mb=round(self.peak_memory_mb, 1),
            )
        )
